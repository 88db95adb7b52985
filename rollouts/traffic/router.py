"""The seam between a rollout's decision and a router's objects.

The intent is level-based: it says everything that shall be in force now (weight, header and mirror routes).
Managed routes that it does not list are removed. ``plan`` answers the edits that are still missing: () when
the live objects already say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, ClassVar, Literal, Protocol

from rollouts.kube.objects import Manifest

Config = Mapping[str, Any]
"""The router's part of ``spec.strategy.canary.trafficRouting``, as the user wrote it."""


class Confidence(IntEnum):
    """How sure a router is that a weight is in force."""

    WRITTEN = 1
    ACCEPTED = 2
    VERIFIED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Objects that a router must see: one by name, or those that a label selector matches.

    An ``optional`` one may not exist yet: the router creates it.
    """

    group: str
    kind: str
    namespace: str
    name: str = ""
    selector: Mapping[str, Any] | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """An experiment's Service that takes part of the traffic."""

    service: str
    weight: int
    pod_hash: str
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatch:
    """One header of a header route; exactly one of the three values is set."""

    header: str
    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRoute:
    """Requests with these headers go to the canary: with all of them, except that Istio takes any."""

    name: str
    matches: tuple[HeaderMatch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRoute:
    """Matching requests are copied to the canary. ``matches`` as in the Rollout's step."""

    name: str
    matches: tuple[Mapping[str, Any], ...]
    percentage: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficIntent:
    """What the strategy wants in force now, in router-neutral words.

    ``canary_weight`` is in 0..``max_weight``; None leaves weights as they are. The stable share is
    ``max_weight`` − canary − sum of ``additional``. ``retired`` names Services of finished experiments.
    ``owner`` is the Rollout's owner reference for objects that a router creates.
    """

    rollout: str
    namespace: str
    stable_service: str
    canary_service: str
    stable_hash: str = ""
    canary_hash: str = ""
    canary_weight: int | None = None
    max_weight: int = 100
    additional: tuple[Destination, ...] = ()
    retired: tuple[str, ...] = ()
    header_routes: tuple[HeaderRoute, ...] = ()
    mirror_routes: tuple[MirrorRoute, ...] = ()
    managed_routes: tuple[str, ...] = ()
    owner: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficState:
    """What the live objects say.

    ``canary_weight`` is None when it cannot be read. ``confidence`` is the level reached for what is live,
    ``attainable`` the best one that these objects can ever reach (a parent that never reports caps it).
    ``settle`` is how long data planes may take to follow once ``confidence`` is reached: the caller, who
    remembers since when it is, counts the weight as in force only afterwards. ``recheck_at`` asks for another
    look without an event.
    """

    canary_weight: int | None
    confidence: Confidence = Confidence.WRITTEN
    attainable: Confidence = Confidence.WRITTEN
    message: str = ""
    settle: timedelta = timedelta(0)
    recheck_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One write of a whole object.

    For ``replace`` the body carries the resourceVersion that was read, so that a foreign edit in between
    makes the write fail instead of being lost. Fields that the router does not own are kept as read. For
    ``create`` an empty ``version`` means the one that the cluster serves, whatever the body says. An event
    of this ``reason`` tells people of it with the ``summary``; without a reason nobody is told.
    """

    verb: Literal["create", "replace", "delete"]
    group: str
    version: str
    kind: str
    namespace: str
    name: str
    body: Manifest = field(default_factory=dict)
    summary: str = ""
    reason: str = ""


class TrafficError(Exception):
    """The route or the router's configuration cannot carry the intent; a person must change it.

    The message names the object, the field's path, what was seen and what to do.
    """


class TrafficRouter(Protocol):
    """A router, registered by name in ``rollouts.traffic.registry``."""

    name: ClassVar[str]

    def needs(self, config: Config, intent: TrafficIntent) -> tuple[Need, ...]:
        """Return the objects to observe. Raises TrafficError for a bad configuration."""
        ...

    def read(
        self, config: Config, live: Sequence[Manifest], intent: TrafficIntent, now: datetime
    ) -> TrafficState:
        """Return what the live objects say about the intent. Raises TrafficError."""
        ...

    def plan(self, config: Config, live: Sequence[Manifest], intent: TrafficIntent) -> tuple[Edit, ...]:
        """Return the edits that bring the live objects to the intent. Raises TrafficError."""
        ...
