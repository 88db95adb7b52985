"""Plain lines for pipes and logs: one for each thing that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rollouts.cli.demo.frame import Frame, MetricRow, milliseconds

_TRAFFIC_EVERY = 2.0


class Lines:
    """Writes what is new in each frame; ``write`` takes one line without its end."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._state: tuple[object, ...] = ()
        self._values: dict[tuple[str, str], str] = {}
        self._events: set[str] = set()
        self._traffic_at = 0.0

    def show(self, frame: Frame) -> None:
        """Write the news of a frame."""
        for line in self._news(frame):
            self._write(f"{frame.seconds:6.1f}s  {line}")

    def _news(self, frame: Frame) -> Iterator[str]:
        state = (frame.sync, frame.health, frame.phase, frame.message, _step(frame))
        if state != self._state:
            self._state = state
            message = f" ({frame.message})" if frame.message else ""
            yield f"Application {frame.sync}, {frame.health}; Rollout {frame.phase}{message}; {_step(frame)}"
        for row in frame.metrics:
            text = _metric(row)
            if row.values and self._values.get((row.run, row.metric)) != text:
                self._values[(row.run, row.metric)] = text
                yield text
        for event in frame.events:
            if event not in self._events:
                self._events.add(event)
                yield f"event {event}"
        if frame.seconds - self._traffic_at >= _TRAFFIC_EVERY and any(row.rate for row in frame.versions):
            self._traffic_at = frame.seconds
            yield _traffic(frame)


def _step(frame: Frame) -> str:
    now = next((i for i, step in enumerate(frame.steps) if step.state == "now"), None)
    if now is None:
        return "no step is running"
    return f"step {now + 1} of {len(frame.steps)}: {frame.steps[now].text}"


def _metric(row: MetricRow) -> str:
    return (
        f"{row.version} {row.metric} {row.phase}: {row.values[-1]} must meet {row.condition} ({row.counts})"
    )


def _traffic(frame: Frame) -> str:
    parts = [
        f"{row.version} asked {'-' if row.asked is None else row.asked} measured {row.share:.0%}"
        f" of requests, {row.errors:.0%} 5xx, p99 {milliseconds(row.p99)}, {row.ready}/{row.replicas} ready"
        for row in frame.versions
    ]
    return "traffic " + "; ".join(parts)
