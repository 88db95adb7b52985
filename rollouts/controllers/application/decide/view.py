"""An Application's objects compared, with holds and policy applied: what the checks look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from rollouts.controllers.application.decide.hold import Holds, judge
from rollouts.controllers.application.snapshot import ApplicationSnapshot
from rollouts.gitops.comparison import Compared, Rules, Settled, compare
from rollouts.gitops.plan.options import Options, parse
from rollouts.gitops.policy.project import application_violations, object_violation
from rollouts.gitops.transplant import NOTHING, Owned
from rollouts.kube.objects import Manifest, ObjectKey, ReadOnly

_TEMPLATE = Owned(fields=(("spec", "template"), ("spec", "workloadRef")))


@dataclass(frozen=True)
class View:
    """The snapshot with live objects and operation state as they are after what was done so far."""

    snapshot: ApplicationSnapshot
    live: Mapping[ObjectKey, Manifest]
    operation_state: ReadOnly

    @classmethod
    def of(cls, snapshot: ApplicationSnapshot) -> View:
        """Return the view of a fresh snapshot."""
        return cls(snapshot, snapshot.live, snapshot.operation_state)

    def after(
        self, written: Mapping[ObjectKey, Manifest], gone: frozenset[ObjectKey], state: ReadOnly
    ) -> View:
        """Return the view once objects were written and others deleted."""
        live = {key: obj for key, obj in self.live.items() if key not in gone} | dict(written)
        return View(self.snapshot, live, state)

    @cached_property
    def options(self) -> Options:
        """Return the sync options: the Application's, and those of the operation."""
        sync = (self.operation_state.get("operation") or {}).get("sync") or {}
        running = self.operation_state.get("phase") == "Running"
        own = sync.get("syncOptions") or () if running else ()
        return parse((*self.snapshot.sync_options, *own))

    @cached_property
    def holds(self) -> Holds:
        """Return what is held after aborts."""
        return judge(self.snapshot, self.live)

    @cached_property
    def blocked(self) -> Mapping[ObjectKey, str]:
        """Return the objects that are not applied, and why."""
        s, found = self.snapshot, dict(self.holds.blocked)
        targets = s.source.targets
        for target in targets.objects if targets else ():
            reason = target.problem or self._forbidden(target.key)
            if reason:
                found[target.key] = reason
            elif target.key in s.foreign:
                found[target.key] = (
                    f"{target.key} is part of applications {s.foreign[target.key]} and {s.instance}; remove "
                    "it from one of the repositories, or delete the other Application"
                )
        return found

    def _forbidden(self, key: ObjectKey) -> str:
        s = self.snapshot
        if s.project is None:
            return f"project {s.project_name} does not exist"
        reason = object_violation(
            s.project_name, s.project, s.spec.destination, key.resource, key.namespace, key.name
        )
        return f"{key}: {reason}" if reason else ""

    @cached_property
    def compared(self) -> tuple[Compared, ...]:
        """Return every wanted and tracked object beside its live state."""
        s = self.snapshot
        if s.source.targets is None:
            return ()
        held = frozenset(key for key in self.holds.messages if key in self.live)
        owned = dict(s.owned)
        for key in held:
            owned[key] = owned.get(key, NOTHING).merged(_TEMPLATE)
        rules = Rules(
            options=self.options,
            ignore=s.spec.ignore_differences,
            owned=owned,
            blocked=self.blocked,
            held=held,
            settled=s.settled,
        )
        return compare(s.source.targets, self.live, rules)

    @cached_property
    def obstacles(self) -> tuple[tuple[str, str], ...]:
        """Return why the Application cannot be compared or synced at all: condition types and texts."""
        s = self.snapshot
        if s.invalid:
            return (("InvalidSpecError", s.invalid),)
        if s.project is None:
            return (
                (
                    "InvalidSpecError",
                    f"Application referencing project {s.project_name} which does not exist; create the "
                    f"AppProject in namespace {s.control_namespace}, or correct spec.project",
                ),
            )
        found = [
            ("InvalidSpecError", text)
            for text in application_violations(
                s.project_name, s.project, s.spec, s.namespace, s.control_namespace
            )
        ]
        found += [("InvalidSpecError", text) for text in self._unsupported()]
        if found:
            return tuple(found)
        if s.source.error:
            return (("ComparisonError", f"Failed to load target state: {s.source.error}"),)
        return tuple(("ComparisonError", text) for text in s.unseen.values())

    def _unsupported(self) -> list[str]:
        s = self.snapshot
        found = []
        if not s.in_cluster:
            seen = s.spec.destination.server or s.spec.destination.name or "nothing"
            found.append(
                f"error getting cluster {seen!r}: this controller only syncs to the cluster that it runs in; "
                "set spec.destination.server to https://kubernetes.default.svc (or name to in-cluster), and "
                "only one of them"
            )
        if s.spec.sources or s.spec.source_hydrator:
            field = "sourceHydrator" if s.spec.source_hydrator else "sources"
            found.append(f"spec.{field} is not supported yet; use spec.source")
        elif s.spec.source is None or not s.spec.source.repo_url:
            found.append("spec.source.repoURL is missing; name the repository")
        if s.project and (s.project.signature_keys or s.project.source_integrity):
            found.append(
                f"project {s.project_name} requires signed commits, which this controller cannot verify yet; "
                "nothing is synced from unverified commits"
            )
        return found


def with_settled(view: View, settled: Mapping[ObjectKey, Settled]) -> View:
    """Return the view with what an apply has just shown about the API server's own changes."""
    snapshot = replace(view.snapshot, settled={**view.snapshot.settled, **settled})
    return View(snapshot, view.live, view.operation_state)
