"""Which files of a folder are read, and what is in them."""

import pytest

from rollouts.api.argoproj.source import ApplicationSource, DirectorySource
from rollouts.gitops.render.directory import check_supported, parse, selected
from rollouts.gitops.render.errors import RenderError, UnsupportedSource
from rollouts.gitops.render.globs import matches
from rollouts.gitops.source.tree import File, Tree

PATHS = ("app/a.yaml", "app/b.yml", "app/c.json", "app/notes.txt", "app/sub/d.yaml", "other/e.yaml")
TREE = Tree("a" * 40, [File(path, "b" * 40, 1) for path in PATHS])


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["a.yaml", "b.yml", "c.json"]),
        ({"recurse": True}, ["a.yaml", "b.yml", "c.json", "sub/d.yaml"]),
        ({"include": "*.yaml"}, ["a.yaml"]),
        ({"include": "{a,b}.*"}, ["a.yaml", "b.yml"]),
        ({"exclude": "a.*"}, ["b.yml", "c.json"]),
        ({"include": "*", "exclude": "*.json"}, ["a.yaml", "b.yml"]),
        ({"recurse": True, "exclude": "sub/**"}, ["a.yaml", "b.yml", "c.json"]),
        ({"disableExtensionFilter": True}, ["a.yaml", "b.yml", "c.json", "notes.txt"]),
    ],
    ids=str,
)
def test_the_files_that_are_read(options: dict[str, object], names: list[str]) -> None:
    found = selected(TREE, "app", DirectorySource.model_validate(options))
    assert [file.path.removeprefix("app/") for file in found] == names


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(RenderError, match="there is no folder 'nope' in commit aaaaaaaaaaaa"):
        selected(TREE, "nope", None)


def test_a_symbolic_link_is_never_followed() -> None:
    linked = Tree("a" * 40, [File("app/x.yaml", "b" * 40, 5, "120000")])
    with pytest.raises(RenderError, match=r"app/x\.yaml is a symbolic link, which is never followed"):
        selected(linked, "app", None)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "sub/a.yaml", False),
        ("**/*.yaml", "sub/deep/a.yaml", True),
        ("[ab].yaml", "b.yaml", True),
        ("[!ab].yaml", "b.yaml", False),
        ("a.yaml", "axyaml", False),
        ("{x,y/*}.json", "y/1.json", True),
        ("a,b", "a,b", True),
    ],
)
def test_globs(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize("pattern", ["{a", "a}", "[a"])
def test_an_unbalanced_glob_is_an_error_of_the_source(pattern: str) -> None:
    with pytest.raises(RenderError, match=r"source\.directory"):
        selected(TREE, "app", DirectorySource(include=pattern))


CONFIGMAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def test_all_documents_and_the_items_of_lists_are_objects() -> None:
    text = (
        (CONFIGMAP % "a")
        + "---\n# nothing\n---\n"
        + (
            "apiVersion: v1\nkind: List\nitems:\n"
            "- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n"
            "- apiVersion: v1\n  kind: ConfigMapList\n"
            "  items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}]\n"
        )
    )
    found = parse("x.yaml", text.encode())
    assert [one.manifest["metadata"]["name"] for one in found] == ["a", "b", "c"]
    assert [str(one.origin) for one in found][2] == "x.yaml (object 3)"


def test_json_may_hold_one_object_or_an_array() -> None:
    one = b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}'
    assert len(parse("x.json", one)) == 1
    assert len(parse("x.json", b"[" + one + b"," + one + b"]")) == 2


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("x.yaml", "a: [\n", r"x\.yaml:2:"),
        ("x.yaml", "a: 1\na: 2\n", r'x\.yaml:2:1: key "a" occurs twice'),
        ("x.json", "{", r"x\.json:1:"),
        ("x.json", "[1]", "an object was wanted, seen int"),
        ("x.yaml", "kind: ConfigMap\n", "without apiVersion or kind"),
        ("x.yaml", "apiVersion: v1\nkind: ConfigMap\n", r"ConfigMap has no metadata\.name"),
        ("x.yaml", "apiVersion: v1\nkind: List\nitems: [1]\n", "items of a List must be objects"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(path: str, content: str, words: str) -> None:
    with pytest.raises(RenderError, match=words):
        parse(path, content.encode())


@pytest.mark.parametrize(
    ("source", "files", "words"),
    [
        ({"chart": "x"}, (), "source.chart"),
        ({"kustomize": {}}, (), "source.kustomize"),
        ({"plugin": {}}, (), "source.plugin"),
        ({"directory": {"jsonnet": {}}}, (), "source.directory.jsonnet"),
        ({}, ("app/Chart.yaml",), "Helm chart"),
        ({}, ("app/kustomization.yml",), "kustomization"),
    ],
    ids=str,
)
def test_a_source_that_cannot_be_rendered_is_an_error_never_empty(
    source: dict[str, object], files: tuple[str, ...], words: str
) -> None:
    tree = Tree("a" * 40, [File(path, "b" * 40, 1) for path in files])
    with pytest.raises(UnsupportedSource, match=words):
        check_supported(ApplicationSource.model_validate(source), tree, "app")


def test_an_explicit_directory_reads_a_kustomization_folder_as_plain_files() -> None:
    tree = Tree("a" * 40, [File("app/kustomization.yaml", "b" * 40, 1)])
    check_supported(ApplicationSource.model_validate({"directory": {}}), tree, "app")
    assert len(selected(tree, "app", DirectorySource())) == 1
