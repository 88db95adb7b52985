"""How long simulated machinery takes, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletTiming:
    """Ranges are (low, high), drawn from the Randomness port once per pod.

    The defaults suit a real API server: no state is so short that other watchers could miss it.
    """

    start: tuple[float, float] = (1.0, 2.0)
    """From binding to the containers' start."""
    stop: tuple[float, float] = (0.1, 0.3)
    """From the end of preStop to the containers' exit."""
    job: tuple[float, float] = (0.8, 1.2)
    """How long a container of a Job runs whose command does not say."""
    pull_backoff: float = 2.0
    """From ErrImagePull to ImagePullBackOff."""
    crash_backoff: float = 10.0
    """First pause of CrashLoopBackOff; doubles up to ``crash_backoff_limit`` (the kubelet's figures)."""
    crash_backoff_limit: float = 300.0

    @classmethod
    def brisk(cls) -> KubeletTiming:
        """Return the timing for demonstrations: pods start within a second."""
        return cls(start=(0.3, 1.0), stop=(0.05, 0.1), job=(0.3, 0.6), pull_backoff=1.0)
