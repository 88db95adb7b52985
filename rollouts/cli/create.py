"""`rollouts create -f FILE` and `rollouts create analysisrun`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.connection import Target, cluster_options, run_async
from rollouts.cli.kinds import KindGroup
from rollouts.cli.lint import read_texts

if TYPE_CHECKING:
    from rollouts.kube.api import KubeApi
    from rollouts.kube.objects import Manifest, Resource

WATCHED = ("Rollout", "Experiment", "AnalysisRun")


@click.group("create", cls=KindGroup, invoke_without_command=True)
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE",
    help="File or folder with manifests; - for standard input. May be given several times.",
)
@click.option("-w/-W", "--watch/--no-watch", default=False, help="Follow the object until interrupted.")
@click.option("--no-color", is_flag=True, help="No colours even on a terminal.")
@cluster_options
@click.pass_context
def create_command(
    ctx: click.Context, target: Target, files: Sequence[str], watch: bool, no_color: bool
) -> None:
    """Create Rollouts, Experiments, AnalysisRuns and their templates, or an AnalysisRun from a template.

    Files are checked first, as by `rollouts lint`: nothing is created from a file with an error.

    \b
    rollouts create -f rollout.yaml -n shop
    rollouts create -f experiment.yaml -n shop -w
    rollouts create analysisrun --from error-rate -a service=web -n shop
    """
    if ctx.invoked_subcommand is not None:
        return
    if not files:
        raise click.UsageError("nothing to create: add -f FILE, or `analysisrun --from TEMPLATE`", ctx)
    manifests = _checked(files)
    if watch and (len(manifests) != 1 or manifests[0]["kind"] not in WATCHED):
        raise click.UsageError("only one Rollout, Experiment or AnalysisRun can be followed", ctx)
    name = run_async(_create(target, manifests))
    if watch:
        from rollouts.cli.get import follow_object  # noqa: PLC0415 - keeps --help fast

        follow_object(target, str(manifests[0]["kind"]).lower(), name, no_color=no_color)


@create_command.command("analysisrun")
@click.option("--from", "template", default="", metavar="TEMPLATE", help="A template in the cluster.")
@click.option("--from-file", "file", default="", metavar="FILE", help="A template in a file.")
@click.option("--global", "cluster", is_flag=True, help="It is a ClusterAnalysisTemplate.")
@click.option("-a", "--argument", "arguments", multiple=True, metavar="NAME=VALUE", help="An argument.")
@click.option("--name", default="", metavar="NAME", help="Name of the run.")
@click.option("--generate-name", default="", metavar="PREFIX", help="How its name begins.")
@click.option("--instance-id", default="", metavar="ID", help="Controller that shall run it.")
@cluster_options
def create_analysisrun(
    target: Target, template: str, file: str, cluster: bool, arguments: Sequence[str], **named: str
) -> None:
    """Create an AnalysisRun from a template; it starts at once and belongs to no Rollout.

    \b
    rollouts create analysisrun --from error-rate -a service=web -n shop
    rollouts create analysisrun --from-file template.yaml --name try-1 -n shop
    """
    if bool(template) == bool(file):
        raise click.UsageError("one of --from and --from-file is needed")
    pairs = [text.partition("=") for text in arguments]
    wrong = [text for text, (name, sign, _) in zip(arguments, pairs, strict=True) if not (name and sign)]
    if wrong:
        raise click.UsageError(f"{wrong[0]!r} is not NAME=VALUE, such as service=web")
    args = [{"name": name, "value": value} for name, _, value in pairs]
    kind, slash, rest = template.partition("/")
    if slash and kind.lower() in _CLUSTER_WORDS:
        template, cluster = rest, True
    elif slash and kind.lower() in _TEMPLATE_WORDS:
        template = rest
    run_async(_create_run(target, template, file, cluster, args, named))


_TEMPLATE_WORDS = ("analysistemplate", "analysistemplates", "at")
_CLUSTER_WORDS = ("clusteranalysistemplate", "clusteranalysistemplates", "cat")


def _checked(files: Sequence[str]) -> list[Manifest]:
    """Return the objects of the files. Raises ClickException with everything that is wrong with them."""
    from rollouts.api.lint import Severity, lint_documents  # noqa: PLC0415 - keeps --help fast
    from rollouts.api.yamlio import load_all  # noqa: PLC0415

    found: list[Manifest] = []
    for name, text in read_texts(files):
        errors = [str(f) for f in lint_documents(text) if f.severity is Severity.ERROR]
        if errors:
            raise click.ClickException("\n".join(f"{name}: {error}" for error in errors))
        for manifest in load_all(text):
            if _resource(manifest) is None:
                seen = f"{manifest.get('apiVersion', '')} {manifest.get('kind', '')}".strip()
                raise click.ClickException(f"{name}: {seen} is not created by this command; use kubectl")
            found.append(manifest)
    if not found:
        raise click.ClickException("the files hold no object")
    return found


def _resource(manifest: Mapping[str, Any]) -> Resource | None:
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast

    kinds = (
        objects.ROLLOUTS,
        objects.EXPERIMENTS,
        objects.ANALYSIS_RUNS,
        objects.ANALYSIS_TEMPLATES,
        objects.CLUSTER_ANALYSIS_TEMPLATES,
    )
    named = (manifest.get("apiVersion"), manifest.get("kind"))
    return next((r for r in kinds if (r.api_version, r.kind) == named), None)


async def _create(target: Target, manifests: Sequence[Manifest]) -> str:
    """Create the objects in order and say so; return the name of the last one."""
    name = ""
    async with target.connect() as api:
        for manifest in manifests:
            resource = _resource(manifest)
            assert resource is not None  # noqa: S101 - looked up before
            name = await _create_one(api, target, resource, manifest)
    return name


async def _create_one(api: KubeApi, target: Target, resource: Resource, manifest: Manifest) -> str:
    from rollouts.kube import errors, objects  # noqa: PLC0415 - keeps --help fast

    namespace = (objects.namespace_of(manifest) or target.namespace) if resource.namespaced else None
    try:
        made = await api.create(resource, namespace, manifest)
    except errors.AlreadyExists as error:
        place = f" in namespace {namespace}" if namespace else ""
        name = objects.name_of(manifest)
        raise click.ClickException(f"{resource.kind} {name!r} is there already{place}") from error
    name = objects.name_of(made)
    click.echo(f"{resource.kind.lower()}.{resource.group}/{name} created")
    return name


async def _create_run(
    target: Target,
    template: str,
    file: str,
    cluster: bool,
    args: Sequence[Mapping[str, str]],
    named: Mapping[str, str],
) -> None:
    from analysis.spec.errors import SpecError  # noqa: PLC0415 - keeps --help fast
    from analysis.spec.objects import TemplateRef  # noqa: PLC0415
    from analysis.spec.templates import build_run_spec, flatten  # noqa: PLC0415
    from rollouts.kube import objects  # noqa: PLC0415
    from rollouts.workloads import labels  # noqa: PLC0415

    known = _templates_of(file)
    if file:
        template, cluster = next(iter(known))
    async with target.connect() as api:
        await _load_templates(api, target, (template, cluster), known)
        try:
            first = TemplateRef(template_name=template, cluster_scope=cluster)
            spec = build_run_spec(flatten((first,), lambda name, wide: known.get((name, wide))), args)
        except SpecError as error:
            raise click.ClickException(f"{template}: {error}") from error
        prefix = named["generate_name"] or f"{template}-"
        metadata: dict[str, Any] = {"name": named["name"]} if named["name"] else {"generateName": prefix}
        if named["instance_id"]:
            metadata["labels"] = {labels.INSTANCE_ID: named["instance_id"]}
        resource = objects.ANALYSIS_RUNS
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}
        await _create_one(api, target, resource, body)


Templates = dict[tuple[str, bool], Mapping[str, Any]]
"""Template objects by name and whether they are of the cluster."""


def _templates_of(file: str) -> Templates:
    """Return the templates of a file, in order. Raises ClickException when it has none."""
    if not file:
        return {}
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast

    scopes = {objects.ANALYSIS_TEMPLATES.kind: False, objects.CLUSTER_ANALYSIS_TEMPLATES.kind: True}
    found: Templates = {
        (objects.name_of(manifest), scopes[str(manifest["kind"])]): manifest
        for manifest in _checked((file,))
        if manifest["kind"] in scopes
    }
    if not found:
        raise click.ClickException(f"{file} holds no AnalysisTemplate and no ClusterAnalysisTemplate")
    return found


async def _load_templates(api: KubeApi, target: Target, first: tuple[str, bool], known: Templates) -> None:
    """Read a template and all that it names, directly or not, unless they are known already."""
    from rollouts.kube import objects  # noqa: PLC0415 - keeps --help fast

    waiting, seen = [first], set[tuple[str, bool]]()
    while waiting:
        name, cluster = key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        if key not in known:
            resource = objects.CLUSTER_ANALYSIS_TEMPLATES if cluster else objects.ANALYSIS_TEMPLATES
            known[key] = await target.read(api, resource, name)
        refs = (known[key].get("spec") or {}).get("templates") or ()
        waiting += [(str(r.get("templateName", "")), bool(r.get("clusterScope"))) for r in refs]
