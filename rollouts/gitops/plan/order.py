"""Phases, waves and the order of kinds, as Argo CD applies them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from rollouts.kube.objects import ReadOnly, annotations_of

SYNC_WAVE = "argocd.argoproj.io/sync-wave"
HOOK = "argocd.argoproj.io/hook"
HOOK_DELETE_POLICY = "argocd.argoproj.io/hook-delete-policy"


class Phase(IntEnum):
    """Part of a sync; a later one begins when the earlier one is healthy."""

    PRE_SYNC = 0
    SYNC = 1
    POST_SYNC = 2

    @property
    def wire(self) -> str:
        """Return the name that status has."""
        return _WIRE[self]


_WIRE: Mapping[Phase, str] = {
    Phase.PRE_SYNC: "PreSync",
    Phase.SYNC: "Sync",
    Phase.POST_SYNC: "PostSync",
}
_PHASES = {wire: phase for phase, wire in _WIRE.items()}
_OTHER_HOOKS = frozenset({"SyncFail", "Skip", "PreDelete", "PostDelete"})

_KINDS = (
    *(
        "Namespace",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "PodSecurityPolicy",
        "PodDisruptionBudget",
    ),
    *("ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume"),
    *("PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole", "ClusterRoleList"),
    *("ClusterRoleBinding", "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding", "RoleBindingList"),
    *("Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet", "Deployment"),
    *("HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress", "APIService"),
)
_RANK = {kind: rank for rank, kind in enumerate(_KINDS)}


def kind_rank(kind: str) -> int:
    """Return the place of a kind within a wave; kinds without one come last."""
    return _RANK.get(kind, len(_KINDS))


def wave_of(obj: ReadOnly) -> int:
    """Return the sync wave (0 unless the annotation is a whole number)."""
    text = annotations_of(obj).get(SYNC_WAVE, "").strip()
    try:
        return int(text)
    except ValueError:
        return 0


def hooks_of(obj: ReadOnly) -> tuple[str, ...]:
    """Return the hook types that an object names, () for an ordinary object."""
    return tuple(part.strip() for part in annotations_of(obj).get(HOOK, "").split(",") if part.strip())


def hook_phases(obj: ReadOnly) -> tuple[Phase, ...]:
    """Return the phases in which a hook runs; () for one that runs at other occasions."""
    return tuple(_PHASES[hook] for hook in hooks_of(obj) if hook in _PHASES)


def is_unknown_hook(obj: ReadOnly) -> bool:
    """Tell whether an object names a hook type that does not exist."""
    return any(hook not in _PHASES and hook not in _OTHER_HOOKS for hook in hooks_of(obj))


def delete_policies(obj: ReadOnly) -> tuple[str, ...]:
    """Return when a hook's object is deleted; BeforeHookCreation unless it says otherwise."""
    text = annotations_of(obj).get(HOOK_DELETE_POLICY, "")
    return tuple(part.strip() for part in text.split(",") if part.strip()) or ("BeforeHookCreation",)
