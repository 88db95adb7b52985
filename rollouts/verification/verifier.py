"""The seam between a written weight and the data planes that carry it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import ClassVar, Protocol

Pods = Callable[[], Awaitable[Mapping[str, str]]]
"""``await pods()`` returns the version of each pod of the Rollout by its address. Raises KubeError."""

Shares = tuple[tuple[str, int], ...]
"""Shares of Services, as ``namespace/name`` and the least whole number; without those that have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What data planes must have of one object.

    ``rules`` are the shares of the Rollout's Services, ``services``, by the number of the rule; rules that
    name none of them are left out. ``versions`` are the hashes of the pods behind each Service.
    ``controllers`` carry the object out, as far as they have reported on it; ``hosts`` are the names of its
    load balancers.
    """

    kind: str
    namespace: str
    name: str
    services: tuple[str, ...]
    rules: tuple[tuple[int, Shares], ...]
    versions: tuple[tuple[str, str], ...] = ()
    controllers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class CannotTell(Exception):
    """The data plane answered, but its answer does not say which weights it has."""


class Verifier(Protocol):
    """One kind of data plane that can be asked."""

    name: ClassVar[str]
    """What messages call it."""

    pause: ClassVar[float]
    """The most seconds to wait before it is asked again."""

    def covers(self, wanted: Wanted) -> frozenset[str]:
        """Return the controllers of the object that it speaks for."""
        ...

    async def differs(self, wanted: Wanted, pods: Pods) -> str:
        """Return what is not in force yet, "" when all is: the weights, and the pods behind them.

        Raises CannotTell, or a ProviderError when there is no usable answer.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def shares(weights: Mapping[str, int], services: Iterable[str]) -> Shares:
    """Return the shares of these Services, whatever scale the weights have."""
    found = {name: weights[name] for name in sorted(set(services)) if weights.get(name, 0) > 0}
    scale = gcd(*found.values()) if found else 1
    return tuple((name, weight // scale) for name, weight in found.items())


def difference(wanted: Wanted, seen: Iterable[Shares]) -> str:
    """Compare with a data plane that does not say which of its routes belong to which rule.

    Every wanted split must be among those that it has, and no other split among the same Services.
    """
    have, want = set(seen), {part for _, part in wanted.rules if part}
    missing = sorted(want - have)
    if missing:
        return (
            f"{shown(missing[0])} is written, found is {' and '.join(map(shown, sorted(have))) or 'nothing'}"
        )
    other = sorted(part for part in have - want if len(part) > 1)
    return f"{shown(other[0])} is still found, {shown(min(want, default=()))} is written" if other else ""


def misled(wanted: Wanted, found: Mapping[str, Iterable[str]], pods: Mapping[str, str]) -> str:
    """Return which Service with a share leads to pods of another version, "" for none.

    ``found`` are the addresses that the data plane has for each Service. One that is no pod's, such as that
    of a node, says nothing.
    """
    carrying = {name for _, part in wanted.rules for name, _ in part}
    for name, version in wanted.versions:
        for address in sorted(set(found.get(name, ()))) if name in carrying else ():
            if pods.get(address, version) != version:
                return (
                    f"{name} still leads to {address}, a pod of version {pods[address]} instead of {version}"
                )
    return ""


def shown(part: Shares) -> str:
    """Return shares in words, in hundredths where that is exact enough."""
    total = sum(weight for _, weight in part)
    return ", ".join(f"{name} {100 * weight / total:.3g} %" for name, weight in part) or "no traffic"
