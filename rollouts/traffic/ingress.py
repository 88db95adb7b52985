"""What routers over networking.k8s.io Ingress share: finding the ingresses and their backends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollouts.kube.objects import Manifest
from rollouts.traffic.live import items, title
from rollouts.traffic.router import Need, TrafficError, TrafficIntent

GROUP = "networking.k8s.io"


def need(intent: TrafficIntent, name: str) -> Need:
    """Return the need for one Ingress of the Rollout's namespace."""
    return Need(group=GROUP, kind="Ingress", namespace=intent.namespace, name=name)


def names(single: str | None, several: Sequence[str], path: str, field: str) -> tuple[str, ...]:
    """Return the configured ingresses. Raises TrafficError unless exactly one of the two forms is used."""
    if bool(single) == bool(several):
        raise TrafficError(f"{path}.{field}: set exactly one of {field} and {field}es")
    if not all(several):
        raise TrafficError(f"{path}.{field}es: an entry is empty; name an Ingress")
    return (single,) if single else tuple(several)


def paths(ingress: Manifest) -> Iterator[Manifest]:
    """Yield the http paths of all rules. Raises TrafficError for another shape."""
    for index, rule in enumerate(items(ingress.get("spec"), "rules", f"{title(ingress)} spec")):
        if rule.get("http") is not None:
            yield from items(rule["http"], "paths", f"{title(ingress)} spec.rules[{index}].http")


def service_of(path: Manifest) -> str:
    """Return the name of a path's backend Service, or ""."""
    backend = path.get("backend")
    service = backend.get("service") if isinstance(backend, dict) else None
    return str(service.get("name", "")) if isinstance(service, dict) else ""


def check_backend(ingress: Manifest, service: str) -> None:
    """Raise TrafficError when no path leads to the Service."""
    if not any(service_of(path) == service for path in paths(ingress)):
        seen = ", ".join(sorted({service_of(path) for path in paths(ingress)} - {""})) or "none"
        raise TrafficError(
            f"{title(ingress)}: ingress has no rules using service {service} backend (seen {seen}); "
            "add a path with that backend"
        )
