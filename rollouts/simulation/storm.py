"""A plan in which everything can go wrong, by a seeded die, until it is told to be calm."""

from __future__ import annotations

from rollouts.kube.objects import Resource
from rollouts.simulation.chance import SeededRandomness
from rollouts.simulation.faults import Delivery, Fault, Smooth, Write

_FAULTS = tuple(Fault)


class Storm(Smooth):
    """About one write in ``1 / share`` has a fault of any kind; watches lag, end and expire.

    The gateway now and then takes long to accept a route, and pods are evicted.
    """

    def __init__(self, seed: int, share: float = 0.08) -> None:
        super().__init__()
        self._die = SeededRandomness(seed, "storm")
        self._surroundings = SeededRandomness(seed, "surroundings")
        self._share = share
        self.calm = False

    def write(self, write: Write) -> Fault | None:
        """See Plan.write."""
        if self.calm or not self._die.happens(self._share):
            return None
        return _FAULTS[int(self._die.uniform(0, len(_FAULTS) - 1e-9))]

    def read(self) -> bool:
        """See Plan.read."""
        return not self.calm and self._die.happens(0.05)

    def latency(self) -> float:
        """See Plan.latency."""
        if self.calm or not self._die.happens(0.05):
            return self._die.uniform(0.001, 0.01)
        return self._die.uniform(0.01, 1.0)

    def deliver(self, resource: Resource) -> Delivery:
        """See Plan.deliver."""
        if self.calm or not self._die.happens(0.06):
            return Delivery(self._die.uniform(0.001, 0.01))
        lag = self._die.uniform(0.01, 4.0)
        return Delivery(lag, ends=self._die.happens(0.3), gone=self._die.happens(0.1))

    def accepts_late(self) -> float:
        """See Plan.accepts_late."""
        if self.calm or not self._surroundings.happens(0.25):
            return 0.0
        return self._surroundings.uniform(0.25, 30.0)

    def evicts(self) -> bool:
        """See Plan.evicts."""
        return not self.calm and self._surroundings.happens(0.1)
