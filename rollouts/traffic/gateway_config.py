"""The configuration of the Gateway API router, as the plugin ``argoproj-labs/gatewayAPI`` takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StrictBool

from rollouts.api.base import ApiModel, FreeForm, NoneAsEmpty
from rollouts.api.selectors import matches
from rollouts.kube.objects import Manifest, labels_of, name_of, namespace_of
from rollouts.traffic.config import ROOT, parse
from rollouts.traffic.router import Config, Need, TrafficError, TrafficIntent
from rollouts.traffic.selectors import check_selector

GROUP = "gateway.networking.k8s.io"
NAME = "argoproj-labs/gatewayAPI"
PATH = f'{ROOT}.plugins["{NAME}"]'
DEFAULT_LABEL_KEY = "rollouts.argoproj.io/gatewayapi-canary"
DEFAULT_LABEL_VALUE = "in-progress"

_BOOKKEEPING = frozenset({"configMap", "activeRolloutsAnnotationKey"})
"""Where versions of the plugin keep what is in progress; we keep a record of our own."""

_NO_ROUTES = (
    "No routes configured. At least one of 'httpRoutes', 'grpcRoutes', 'tcpRoutes', 'tlsRoutes', "
    "'httpRoute', 'grpcRoute', 'tcpRoute' or 'tlsRoute' must be set"
)


class RouteRef(ApiModel):
    """One route of a list. ``rule_name`` limits the router to the rule of that name."""

    name: str = ""
    use_header_routes: StrictBool | None = None
    rule_name: str | None = None


_Refs = Annotated[tuple[RouteRef, ...], NoneAsEmpty]


class GatewayConfig(ApiModel):
    """All fields of the plugin, and two of ours.

    ``ruleName`` limits every route to one rule. ``settleSeconds`` is how long data planes take to follow
    a change that was accepted; absent: by the route's controller.
    """

    http_route: str | None = None
    grpc_route: str | None = None
    tcp_route: str | None = None
    tls_route: str | None = None
    http_routes: _Refs = ()
    grpc_routes: _Refs = ()
    tcp_routes: _Refs = ()
    tls_routes: _Refs = ()
    http_route_selector: FreeForm | None = None
    grpc_route_selector: FreeForm | None = None
    tcp_route_selector: FreeForm | None = None
    tls_route_selector: FreeForm | None = None
    namespace: str | None = None
    disable_in_progress_label: StrictBool | None = None
    in_progress_label_key: str | None = None
    in_progress_label_value: str | None = None
    rule_name: str | None = None
    settle_seconds: Annotated[float, Field(ge=0, le=600)] | None = None


@dataclass(frozen=True, slots=True)
class RouteKind:
    """A kind of route. ``named`` ones have rule names and matches, so they can carry managed rules."""

    kind: str
    field: str
    named: bool


KINDS = (
    RouteKind("HTTPRoute", "http", named=True),
    RouteKind("GRPCRoute", "grpc", named=True),
    RouteKind("TCPRoute", "tcp", named=False),
    RouteKind("TLSRoute", "tls", named=False),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A route that the configuration names. ``extra_rules``: header and mirror rules may be added to it."""

    kind: RouteKind
    name: str
    extra_rules: bool
    rule_name: str
    path: str


@dataclass(frozen=True, slots=True)
class Target:
    """A wanted route together with its live object."""

    wanted: Wanted
    live: Manifest

    def __str__(self) -> str:
        return f"{self.wanted.kind.kind} {namespace_of(self.live)}/{name_of(self.live)}"


def read_config(raw: Config) -> GatewayConfig:
    """Parse the configuration. Names of the plugin's own bookkeeping are tolerated and unused."""
    return parse(GatewayConfig, dict(raw), PATH, tolerated=_BOOKKEEPING)


def needs(config: GatewayConfig, intent: TrafficIntent) -> tuple[Need, ...]:
    """Return the routes to observe. Raises TrafficError when none is configured."""
    space = config.namespace or intent.namespace
    named = tuple(
        Need(group=GROUP, kind=wanted.kind.kind, namespace=space, name=wanted.name)
        for wanted in _named(config)
    )
    selected = tuple(
        Need(group=GROUP, kind=kind.kind, namespace=space, selector=selector)
        for kind, selector, _ in _selectors(config)
    )
    if not named and not selected:
        raise TrafficError(f"{_NO_ROUTES} (under {PATH})")
    return named + selected


def targets(config: GatewayConfig, intent: TrafficIntent, live: Sequence[Manifest]) -> tuple[Target, ...]:
    """Return every configured route once, kinds in the plugin's order, with its live object.

    Raises TrafficError when a named route does not exist, or nothing is configured or selected at all.
    """
    space = config.namespace or intent.namespace
    mine = [obj for obj in live if _is_route(obj) and namespace_of(obj) == space]
    by_key = {(str(obj["kind"]), name_of(obj)): obj for obj in mine}
    found: dict[tuple[str, str], Target] = {}
    for wanted in _named(config):
        key = (wanted.kind.kind, wanted.name)
        if key not in by_key:
            raise TrafficError(
                f"{wanted.path}: {wanted.kind.kind} {space}/{wanted.name} was not found; create it or "
                f"correct the name (or {PATH}.namespace)"
            )
        found[key] = Target(wanted, by_key[key])
    for kind, selector, path in _selectors(config):
        for obj in sorted(mine, key=name_of):
            key = (kind.kind, name_of(obj))
            if obj["kind"] == kind.kind and key not in found and matches(selector, labels_of(obj)):
                wanted = Wanted(kind, name_of(obj), False, config.rule_name or "", path)
                found[key] = Target(wanted, obj)
    if not found:
        selected = " and ".join(path for _, _, path in _selectors(config)) or PATH
        raise TrafficError(f"{_NO_ROUTES} ({selected} selects none in namespace {space})")
    order = [kind.kind for kind in KINDS]
    return tuple(sorted(found.values(), key=lambda target: order.index(target.wanted.kind.kind)))


def _is_route(obj: Manifest) -> bool:
    return str(obj.get("apiVersion", "")).startswith(f"{GROUP}/") and bool(obj.get("kind"))


def _named(config: GatewayConfig) -> tuple[Wanted, ...]:
    """Return the routes named by ``…Routes`` and ``…Route``, each once; the latter allows extra rules."""
    found: dict[tuple[str, str], Wanted] = {}
    for kind in KINDS:
        for ref, path in _refs(config, kind):
            if not ref.name:
                raise TrafficError(f"{path}.name: must be set to the name of a {kind.kind}")
            earlier = found.get((kind.kind, ref.name))
            extra = bool(ref.use_header_routes) or (earlier is not None and earlier.extra_rules)
            rule = ref.rule_name or (earlier.rule_name if earlier else "") or config.rule_name or ""
            found[kind.kind, ref.name] = Wanted(kind, ref.name, extra and kind.named, rule, path)
    return tuple(found.values())


def _refs(config: GatewayConfig, kind: RouteKind) -> Iterator[tuple[RouteRef, str]]:
    listed: tuple[RouteRef, ...] = getattr(config, f"{kind.field}_routes")
    for index, ref in enumerate(listed):
        yield ref, f"{PATH}.{kind.field}Routes[{index}]"
    single: str | None = getattr(config, f"{kind.field}_route")
    if single:
        yield RouteRef(name=single, use_header_routes=True), f"{PATH}.{kind.field}Route"


def _selectors(config: GatewayConfig) -> Iterator[tuple[RouteKind, dict[str, Any], str]]:
    for kind in KINDS:
        selector: dict[str, Any] | None = getattr(config, f"{kind.field}_route_selector")
        if selector is not None:
            path = f"{PATH}.{kind.field}RouteSelector"
            check_selector(selector, path)
            yield kind, selector, path
