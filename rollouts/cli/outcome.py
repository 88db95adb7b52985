"""Exit codes, and every trouble with a cluster as one line that says what to do."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rollouts.kube.api import KubeApi
    from rollouts.kube.errors import KubeError
    from rollouts.kube.objects import Resource

EXIT_OK = 0
EXIT_PROBLEM = 1
"""The Rollout is Degraded, or the command could not do what it was asked."""
EXIT_USAGE = 2
EXIT_TIMEOUT = 3
EXIT_INTERRUPTED = 130

EXIT_CODES = "Exit codes: 0 done, 1 degraded or not possible, 2 wrong usage, 3 time over, 130 interrupted."


def problem(error: KubeError, server: str, context: str) -> click.ClickException:
    """Return what to tell a person about an error of the API server."""
    from rollouts.kube import errors  # noqa: PLC0415 - keeps --help fast

    where = f"{server or 'the API server'}{f' (context {context})' if context else ''}"
    text = error.message
    match error:
        case errors.Misconfigured():
            said = f"no cluster: {text}. Set --kubeconfig or KUBECONFIG"
        case errors.Unreachable():
            said = f"no answer from {where}: {_cause(text)}. Is it running, and is it the right context?"
        case errors.Unauthorized():
            said = f"{where} does not accept your credentials: {text}. Log in again, or use another context"
        case errors.Forbidden():
            said = f"not allowed: {text}. Ask for a role that allows it, or use another context"
        case errors.TooManyRequests():
            said = f"{where} is overloaded: {text}. Try again in a moment"
        case errors.Conflict():
            said = f"somebody changed the object at the same moment: {text}. Try again"
        case errors.OutcomeUnknown():
            said = f"{text}. It may have taken effect: look with `rollouts get`, then try again"
        case _:
            said = f"{where} refused: {text}"
    return click.ClickException(said)


def _cause(text: str) -> str:
    """Return the cause without the request, and a refused connection in plain words."""
    if "Connect call failed" in text or "Connection refused" in text:
        return "connection refused"
    if "Timeout" in text:
        return "it did not answer in time"
    return text.partition(": ")[2] or text


async def not_found(api: KubeApi, resource: Resource, namespace: str, name: str) -> click.ClickException:
    """Return what to tell about an object that is not there: a similar name, another namespace, no CRD."""
    from rollouts.kube import errors, objects  # noqa: PLC0415 - keeps --help fast

    kind = resource.kind
    try:
        everywhere = [(objects.namespace_of(o), objects.name_of(o)) for o in (await api.list(resource)).items]
    except errors.NotFound:
        return click.ClickException(not_served(resource))
    except errors.KubeError:
        everywhere = await _in_namespace(api, resource, namespace)
    here = sorted(found for space, found in everywhere if space == namespace)
    elsewhere = sorted(space for space, found in everywhere if found == name)
    text = f"{kind} {name!r} not found in namespace {namespace}."
    close = get_close_matches(name, here, n=1, cutoff=0.5)
    if close:
        return click.ClickException(f"{text} Did you mean {close[0]!r}?")
    distant = get_close_matches(name, {found for _, found in everywhere}, n=1, cutoff=0.6)
    if not elsewhere and distant:
        space = next(space for space, found in everywhere if found == distant[0])
        return click.ClickException(f"{text} Did you mean {distant[0]!r} in namespace {space}?")
    if elsewhere:
        return click.ClickException(f"{text} There is one in namespace {elsewhere[0]}: add -n {elsewhere[0]}")
    if here:
        shown = ", ".join(here[:5]) + (" …" if len(here) > 5 else "")
        return click.ClickException(f"{text} There are: {shown}")
    if not await _exists(api, namespace):
        return click.ClickException(f"namespace {namespace!r} not found. Choose one with -n")
    look = f"`rollouts list {resource.plural} -A`"
    return click.ClickException(f"{text} That namespace has no {kind}; look everywhere with {look}")


def not_served(resource: Resource) -> str:
    """Return what to tell about a kind that the cluster does not know."""
    return f"this cluster does not serve {resource}: install the CRDs (kubectl apply --server-side -f crds/)"


async def _in_namespace(api: KubeApi, resource: Resource, namespace: str) -> list[tuple[str, str]]:
    from rollouts.kube import errors, objects  # noqa: PLC0415 - keeps --help fast

    try:
        return [(namespace, objects.name_of(o)) for o in (await api.list(resource, namespace)).items]
    except errors.KubeError:
        return []


async def _exists(api: KubeApi, namespace: str) -> bool:
    """Tell whether a namespace is there; True when one may not look."""
    from rollouts.kube import errors, objects  # noqa: PLC0415 - keeps --help fast

    try:
        await api.get(objects.NAMESPACES, None, namespace)
    except errors.NotFound:
        return False
    except errors.KubeError:
        return True
    return True
