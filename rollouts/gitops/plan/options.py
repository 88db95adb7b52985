"""Sync options of an Application and of single objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollouts.kube.api import Propagation
from rollouts.kube.objects import ReadOnly, annotations_of

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"

_ACTED_ON = frozenset(
    {
        *("CreateNamespace", "ServerSideApply", "Prune", "Replace", "PruneLast", "Delete"),
        *("PrunePropagationPolicy", "RespectIgnoreDifferences", "ApplyOutOfSyncOnly", "Validate"),
        *("SkipDryRunOnMissingResource", "ClientSideApplyMigration", "FailOnSharedResource"),
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """Options by name, as ``Name=value`` texts give them; a later one wins."""

    values: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """Return an option's value, "" when it is not given."""
        return dict(self.values).get(name, "")

    def yes(self, name: str) -> bool:
        """Tell whether an option is ``true``."""
        return self.get(name).lower() == "true"

    def no(self, name: str) -> bool:
        """Tell whether an option is ``false``."""
        return self.get(name).lower() == "false"

    @property
    def propagation(self) -> Propagation:
        """Return how dependents of a pruned object go: in the foreground unless said otherwise."""
        match self.get("PrunePropagationPolicy").lower():
            case "background":
                return "Background"
            case "orphan":
                return "Orphan"
            case _:
                return "Foreground"


def parse(texts: Iterable[str]) -> Options:
    """Return the options that texts such as ``Prune=false`` give."""
    pairs = (text.strip().partition("=") for text in texts if text.strip())
    return Options(tuple((name.strip(), value.strip()) for name, _, value in pairs))


def of_object(obj: ReadOnly, application: Options) -> Options:
    """Return an object's options: its own annotation wins over the Application's list."""
    own = parse(annotations_of(obj).get(SYNC_OPTIONS, "").split(","))
    return Options(application.values + own.values)


def unknown(options: Options) -> Sequence[str]:
    """Return names of options that nobody acts on."""
    return sorted({name for name, _ in options.values if name not in _ACTED_ON})
