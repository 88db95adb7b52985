"""What a container's command does, as far as simulation needs to know: how long it runs and how it ends.

Understood are ``sleep N``, ``exit N``, ``true`` and ``false``, alone or inside ``sh -c "a; b && c"``.
Anything else in a Pod that restarts for ever is taken for a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.kube.objects import ReadOnly, annotations_of

PULL = "simulator.rollouts.dev/pull"
"""Pod annotation; ``fail`` makes every image of the pod impossible to pull."""
READY = "simulator.rollouts.dev/ready"
"""Pod annotation, read all the time: ``false`` fails the readiness probe."""
READY_AFTER = "simulator.rollouts.dev/ready-after"
"""Pod annotation: seconds from the containers' start until the probe passes."""

_REFERENCE = re.compile(
    r"[a-z0-9]+([._:-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[\w][\w.-]{0,127})?(@[a-z0-9]+:[0-9a-f]{32,})?"
)
_MISSING = re.compile(r"does-not-exist|no-such-image|bad-image|:bad$|^bad$")
_SHELLS = frozenset({"sh", "bash", "ash", "/bin/sh", "/bin/bash"})
_SIMPLE_COMMAND = re.compile(r"[;&\n]+")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")


@dataclass(frozen=True, slots=True)
class Program:
    """A container's run: ``seconds`` until it ends (None: never) and the exit code then."""

    seconds: float | None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the kubelet sees it; times in seconds."""

    name: str
    image: str
    pull_error: str
    program: Program
    post_start: float
    ready_after: float


def read_containers(pod: ReadOnly, *, job_seconds: float) -> tuple[Container, ...]:
    """Return the pod's containers. ``job_seconds`` is the run of a command that does not say."""
    spec: ReadOnly = pod.get("spec") or {}
    server = str(spec.get("restartPolicy", "Always")) == "Always"
    default = Program(None) if server else Program(job_seconds)
    return tuple(_container(raw, pod, default) for raw in spec.get("containers") or ())


def pre_stop_seconds(pod: ReadOnly) -> float:
    """Return how long the longest preStop hook of the pod takes."""
    containers: Sequence[ReadOnly] = (pod.get("spec") or {}).get("containers") or ()
    return max((_hook_seconds(c, "preStop") for c in containers), default=0.0)


def _container(raw: ReadOnly, pod: ReadOnly, default: Program) -> Container:
    image = str(raw.get("image", ""))
    probe: Mapping[str, Any] = raw.get("readinessProbe") or {}
    ready_after = annotations_of(pod).get(READY_AFTER) or probe.get("initialDelaySeconds") or 0
    return Container(
        name=str(raw.get("name", "")),
        image=image,
        pull_error="ErrImagePull" if annotations_of(pod).get(PULL) == "fail" else pull_error(image),
        program=read_program([*(raw.get("command") or ()), *(raw.get("args") or ())], default),
        post_start=_hook_seconds(raw, "postStart"),
        ready_after=float(ready_after),
    )


def pull_error(image: str) -> str:
    """Return the waiting reason of an image that cannot be had, or "".

    A reference that is none is ``InvalidImageName``; ``does-not-exist``, ``no-such-image``, ``bad-image``
    anywhere in the reference, or the tag ``bad``, stand for an image that no registry has.
    """
    if not _REFERENCE.fullmatch(image):
        return "InvalidImageName"
    return "ErrImagePull" if _MISSING.search(image) else ""


def read_program(argv: Sequence[str], default: Program) -> Program:
    """Return what a command line does; ``default`` when it is empty or not understood."""
    if not argv:
        return default
    if str(argv[0]).startswith("/bad"):
        return Program(0.0, 127)
    seconds = 0.0
    understood = False
    for words in _simple_commands(argv):
        match words:
            case ["sleep", *rest]:
                seconds, understood = seconds + _sum_durations(rest), True
            case ["exit", code, *_] if code.isdigit():
                return Program(seconds, int(code))
            case ["false", *_]:
                return Program(seconds, 1)
            case ["true" | "exit", *_]:
                understood = True
            case _:
                pass
    return Program(seconds) if understood else default


def _simple_commands(argv: Sequence[str]) -> Iterator[list[str]]:
    if str(argv[0]) not in _SHELLS:
        yield [str(argv[0]).rsplit("/", 1)[-1], *map(str, argv[1:])]
        return
    script = next((str(word) for word in argv[1:] if not str(word).startswith("-")), "")
    for part in _SIMPLE_COMMAND.split(script):
        if words := part.split():
            yield words


def _sum_durations(words: Sequence[str]) -> float:
    found = (_DURATION.fullmatch(word) for word in words)
    return sum(float(m[1]) * _UNITS[m[2]] for m in found if m)


def _hook_seconds(raw: ReadOnly, hook: str) -> float:
    handler: ReadOnly = (raw.get("lifecycle") or {}).get(hook) or {}
    if handler.get("sleep"):
        return float(handler["sleep"].get("seconds", 0))
    command = (handler.get("exec") or {}).get("command") or ()
    return read_program(command, Program(0.0)).seconds or 0.0
