"""The contract of a traffic router, as a pytest class.

Subclass it as ``class TestMyRouter(RouterContract)`` and give it a fixture ``case``::

    @pytest.fixture
    def case(self) -> RouterCase:
        return RouterCase(router=MyRouter(), config={...}, live=(route,), intent=intent, weights=read_weights)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rollouts.api.selectors import matches
from rollouts.kube.objects import Manifest, labels_of, name_of, namespace_of, resource_version
from rollouts.traffic.router import (
    Config,
    Destination,
    Edit,
    HeaderMatch,
    HeaderRoute,
    MirrorRoute,
    Need,
    TrafficError,
    TrafficIntent,
    TrafficRouter,
)

FOREIGN = "kept-by-the-router"
"""A value that a case plants in fields which the router does not own."""

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = (0, 1, 5, 33, 50, 99, 100)
SOME_DESTINATION = Destination(service="some-experiment", weight=5, pod_hash="abc", port=80)
SOME_HEADER_ROUTE = HeaderRoute(name="some-header", matches=(HeaderMatch(header="x-some", exact="yes"),))
SOME_MIRROR_ROUTE = MirrorRoute(name="some-mirror", matches=({"headers": {"x-some": {"exact": "yes"}}},))

Live = tuple[Manifest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterCase:
    """A router with a configuration and the objects as a user wrote them.

    ``weights`` reads the weight of each Service (or subset) from the objects, one mapping for each place that
    splits traffic. ``header_routes``, ``mirror_routes`` and ``additional`` are what this router supports
    here (empty: it must refuse them); their names stand in the intent's ``managed_routes``. ``malformed`` are
    objects that cannot be planned on. ``creates`` tells that the router makes its object when it is missing.
    """

    router: TrafficRouter
    config: Config
    live: Live
    intent: TrafficIntent
    weights: Callable[[Live, TrafficIntent], Sequence[Mapping[str, int]]]
    header_routes: tuple[HeaderRoute, ...] = ()
    mirror_routes: tuple[MirrorRoute, ...] = ()
    additional: tuple[Destination, ...] = ()
    malformed: tuple[Live, ...] = ()
    bad_configs: tuple[Config, ...] = ()
    max_weights: tuple[int, ...] = (100,)
    creates: bool = False

    def plan(self, live: Live, intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the router's plan, having checked that it left its input alone."""
        before = copy.deepcopy(live)
        edits = self.router.plan(self.config, live, intent)
        assert live == before, "plan changed the objects that it was given"
        return edits

    def settled(self, live: Live, intent: TrafficIntent) -> Live:
        """Return the objects after the plan took effect."""
        return applied(live, self.plan(live, intent))

    def at(self, weight: int | None, **changes: Any) -> TrafficIntent:
        """Return the intent at a canary weight."""
        return replace(self.intent, canary_weight=weight, **changes)

    def busy(self, weight: int = 20) -> TrafficIntent:
        """Return an intent that uses everything the router supports."""
        return self.at(
            weight,
            header_routes=self.header_routes,
            mirror_routes=self.mirror_routes,
            additional=self.additional,
        )

    def over(self) -> TrafficIntent:
        """Return the intent of an aborted or finished update."""
        return self.at(0, retired=tuple(d.service for d in self.additional))


def applied(live: Live, edits: Sequence[Edit]) -> Live:
    """Return the objects after the edits, as an API server would keep them.

    Raises AssertionError for an edit that the server would refuse: a stale or missing resourceVersion, a
    create of something that exists, a change of something that does not.
    """
    objects = {identity(obj): copy.deepcopy(obj) for obj in live}
    for edit in edits:
        key = (edit.group, edit.kind, edit.namespace, edit.name)
        if edit.verb == "create":
            assert key not in objects, f"{key} exists already"
            objects[key] = _stored(edit.body, "1")
            continue
        assert key in objects, f"{key} does not exist"
        if edit.verb == "delete":
            del objects[key]
            continue
        version = resource_version(objects[key])
        assert resource_version(edit.body) == version, f"{key} is replaced without precondition"
        assert identity(edit.body) == key, f"the body of {key} is another object"
        objects[key] = _stored(edit.body, str(int(version) + 1))
    return tuple(objects.values())


def identity(obj: Manifest) -> tuple[str, str, str, str]:
    """Return (group, kind, namespace, name)."""
    group, slash, _ = str(obj.get("apiVersion", "")).partition("/")
    return group if slash else "", str(obj.get("kind", "")), namespace_of(obj), name_of(obj)


def settled_form(live: Live) -> dict[tuple[str, str, str, str], Manifest]:
    """Return the objects by identity, without what an API server counts up."""
    found = {}
    for obj in copy.deepcopy(live):
        for counter in ("resourceVersion", "generation"):
            obj["metadata"].pop(counter, None)
        found[identity(obj)] = obj
    return found


class RouterContract:
    """What every router promises. Each test gets a fresh ``case``."""

    @pytest.fixture
    def case(self) -> RouterCase:
        """Return the case under test."""
        raise NotImplementedError

    def test_needs_name_the_objects_that_the_plan_is_made_on(self, case: RouterCase) -> None:
        needs = case.router.needs(case.config, case.intent)
        assert case.live
        for obj in case.live:
            assert any(_covers(need, obj) for need in needs), identity(obj)

    @pytest.mark.parametrize("weight", WEIGHTS)
    def test_a_plan_that_took_effect_leaves_nothing_to_do(self, case: RouterCase, weight: int) -> None:
        intent = case.busy(weight) if weight <= 50 else case.at(weight)
        assert case.plan(case.settled(case.live, intent), intent) == ()

    @pytest.mark.parametrize("weight", WEIGHTS)
    def test_the_weight_that_was_written_is_read_back(self, case: RouterCase, weight: int) -> None:
        intent = case.at(weight)
        state = case.router.read(case.config, case.settled(case.live, intent), intent, NOW)
        assert state.canary_weight == weight
        assert state.confidence <= state.attainable

    def test_weights_sum_up_to_the_maximum(self, case: RouterCase) -> None:
        for maximum in case.max_weights:
            for canary in (0, 1, maximum // 2, maximum):
                intent = case.at(canary, max_weight=maximum)
                for shares in case.weights(case.settled(case.live, intent), intent):
                    assert sum(shares.values()) == maximum

    def test_destinations_of_an_experiment_are_taken_from_stable_or_refused(self, case: RouterCase) -> None:
        intent = case.at(10, additional=case.additional or (SOME_DESTINATION,))
        if not case.additional:
            with pytest.raises(TrafficError):
                case.plan(case.live, intent)
            return
        taken = sum(d.weight for d in case.additional)
        first = case.settled(case.live, intent)
        places = case.weights(first, intent)
        assert places
        for shares in places:
            assert sum(shares.values()) == intent.max_weight
            assert intent.max_weight - 10 - taken in shares.values()
        more = case.at(10, additional=tuple(replace(d, weight=d.weight + 1) for d in case.additional))
        assert settled_form(case.settled(first, more)) == settled_form(case.settled(case.live, more))

    def test_steps_that_the_router_cannot_do_are_refused(self, case: RouterCase) -> None:
        header = case.header_routes or (SOME_HEADER_ROUTE,)
        mirror = case.mirror_routes or (SOME_MIRROR_ROUTE,)
        for supported, intent in (
            (case.header_routes, case.at(10, header_routes=header)),
            (case.mirror_routes, case.at(10, mirror_routes=mirror)),
        ):
            if supported:
                assert case.plan(case.live, intent)
            else:
                with pytest.raises(TrafficError):
                    case.plan(case.live, intent)

    def test_fields_of_others_are_kept(self, case: RouterCase) -> None:
        before = {identity(obj): _count(obj) for obj in case.live}
        assert sum(before.values()), "the case plants no foreign field"
        live = case.settled(case.settled(case.live, case.busy()), case.over())
        after = {identity(obj): _count(obj) for obj in live}
        for key, count in before.items():
            assert after[key] == count, key

    def test_an_abort_leaves_the_objects_as_if_nothing_had_happened(self, case: RouterCase) -> None:
        aborted = case.settled(case.settled(case.live, case.busy()), case.over())
        assert settled_form(aborted) == settled_form(case.settled(case.live, case.over()))
        for shares in case.weights(aborted, case.intent):
            assert sorted(shares.values()) == [0, case.intent.max_weight]

    def test_a_crash_between_two_edits_is_repaired_by_the_next_plan(self, case: RouterCase) -> None:
        start = case.live
        for intent in (case.busy(), case.at(50), case.over()):
            edits = case.plan(start, intent)
            goal = settled_form(applied(start, edits))
            for done in range(len(edits) + 1):
                midway = applied(start, edits[:done])
                assert settled_form(case.settled(midway, intent)) == goal
            start = applied(start, edits)

    def test_no_weight_in_the_intent_leaves_the_weights(self, case: RouterCase) -> None:
        live = case.settled(case.live, case.at(33))
        intent = case.at(None, header_routes=case.header_routes, mirror_routes=case.mirror_routes)
        after = case.settled(live, intent)
        assert case.router.read(case.config, after, intent, NOW).canary_weight == 33
        assert case.plan(after, intent) == ()

    def test_the_order_in_which_objects_come_does_not_matter(self, case: RouterCase) -> None:
        forward = case.settled(case.live, case.busy())
        assert settled_form(case.settled(case.live[::-1], case.busy())) == settled_form(forward)

    def test_objects_of_others_in_the_list_are_left_alone(self, case: RouterCase) -> None:
        stranger = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "stranger", "namespace": case.intent.namespace, "resourceVersion": "1"},
        }
        edits = case.plan((*case.live, stranger), case.busy())
        assert edits == case.plan(case.live, case.busy())

    def test_a_missing_object_is_created_or_an_error_that_names_it(self, case: RouterCase) -> None:
        if case.creates:
            edits = case.plan((), case.at(10))
            assert [(edit.verb, edit.name) for edit in edits] == [("create", name_of(case.live[0]))]
            assert case.plan(applied((), edits), case.at(10)) == ()
            return
        with pytest.raises(TrafficError) as refusal:
            case.plan((), case.at(10))
        assert name_of(case.live[0]) in str(refusal.value)

    def test_malformed_objects_are_an_error_with_a_message(self, case: RouterCase) -> None:
        assert case.malformed
        for live in case.malformed:
            with pytest.raises(TrafficError) as refusal:
                case.plan(live, case.at(10))
            assert len(str(refusal.value)) > 20
            with suppress(TrafficError):  # no other error may escape
                case.router.read(case.config, live, case.at(10), NOW)

    def test_a_bad_configuration_is_an_error_with_its_path(self, case: RouterCase) -> None:
        for config in case.bad_configs:
            with pytest.raises(TrafficError) as refusal:
                case.router.needs(config, case.intent)
            assert "spec.strategy.canary.trafficRouting" in str(refusal.value)


def _covers(need: Need, obj: Manifest) -> bool:
    group, kind, namespace, name = identity(obj)
    if (need.group, need.kind, need.namespace) != (group, kind, namespace):
        return False
    return matches(need.selector, labels_of(obj)) if need.selector is not None else need.name == name


def _stored(body: Manifest, version: str) -> Manifest:
    stored = copy.deepcopy(body)
    stored.setdefault("metadata", {})["resourceVersion"] = version
    return stored


def _count(value: Any) -> int:
    """Count the planted values."""
    if isinstance(value, Mapping):
        return sum(_count(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(_count(item) for item in value)
    return int(value == FOREIGN)
