"""Writes desired objects to the cluster, and deletes what Git no longer has. The only stage that writes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from rollouts.kube import errors, ssa
from rollouts.kube.api import KubeApi, Propagation
from rollouts.kube.objects import Manifest, ObjectKey, resource_version

FIELD_MANAGER = "rollouts-git-sync"
"""Owner of what is applied. Not the peer's ``argocd-controller``: two owners show who wrote what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyObject:
    """Apply an object as ours, taking over fields that others own. ``replace`` writes the whole object.

    ``resource_version``, when set, must still be the live one. ``before`` is the version that was observed.
    """

    key: ObjectKey
    manifest: Manifest
    resource_version: str = ""
    before: str = ""
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObject:
    """Delete an object that is still the one with ``uid``."""

    key: ObjectKey
    uid: str
    propagation: Propagation = "Foreground"


Action = ApplyObject | DeleteObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one action. ``live`` is the answer of an apply. ``again``: observe and try once more."""

    key: ObjectKey
    ok: bool
    message: str
    live: Manifest | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of several actions, by object."""

    by_key: Mapping[ObjectKey, Outcome] = field(default_factory=dict)


async def carry_out(api: KubeApi, action: Action) -> Outcome:
    """Do one action. A refusal or failure is an outcome, not an exception; Fenced alone is raised."""
    try:
        match action:
            case ApplyObject():
                return await _apply(api, action)
            case DeleteObject():
                return await _delete(api, action)
    except errors.Fenced:
        raise
    except errors.Conflict as error:
        return Outcome(key=action.key, ok=False, message=error.message, again=True)
    except errors.KubeError as error:
        return Outcome(key=action.key, ok=False, message=_told(action.key, error))


async def _apply(api: KubeApi, action: ApplyObject) -> Outcome:
    if action.replace:
        live = await _replace(api, action)
    else:
        live = await ssa.apply(
            api,
            action.key.resource,
            action.manifest,
            field_manager=FIELD_MANAGER,
            force=True,
            resource_version=action.resource_version,
        )
    verb = "created" if not action.before else "configured"
    if action.before and resource_version(live) == action.before:
        verb = "unchanged"
    return Outcome(key=action.key, ok=True, message=f"{_spoken(action.key)} {verb}", live=live)


async def _replace(api: KubeApi, action: ApplyObject) -> Manifest:
    key, namespace = action.key, action.key.namespace or None
    if not action.before:
        return await api.create(key.resource, namespace, action.manifest, field_manager=FIELD_MANAGER)
    metadata = {**action.manifest["metadata"], "resourceVersion": action.before}
    body = {**action.manifest, "metadata": metadata}
    return await api.replace(key.resource, namespace, key.name, body, field_manager=FIELD_MANAGER)


async def _delete(api: KubeApi, action: DeleteObject) -> Outcome:
    with suppress(errors.NotFound):
        await api.delete(
            action.key.resource,
            action.key.namespace or None,
            action.key.name,
            uid=action.uid,
            propagation=action.propagation,
        )
    return Outcome(key=action.key, ok=True, message="pruned")


async def would_change(api: KubeApi, action: ApplyObject) -> Manifest | None:
    """Return what the API server would store, by a dry run; None when it cannot say."""
    try:
        return await ssa.apply(
            api, action.key.resource, action.manifest, field_manager=FIELD_MANAGER, force=True, dry_run=True
        )
    except errors.Fenced:
        raise
    except errors.KubeError:
        return None


def _spoken(key: ObjectKey) -> str:
    group = f".{key.resource.group}" if key.resource.group else ""
    return f"{key.resource.kind.lower()}{group}/{key.name}"


def _told(key: ObjectKey, error: errors.KubeError) -> str:
    """Return the server's words; not for a Secret, whose values they may repeat."""
    if key.resource.kind != "Secret":
        return error.message
    causes = error.causes if isinstance(error, errors.Invalid) else ()
    fields = ", ".join(cause.partition(":")[0] for cause in causes)
    detail = f" about {fields}" if fields else ""
    return (
        f"the API server refused it{detail} ({error.reason or error.status}); its words may hold the secret"
    )
