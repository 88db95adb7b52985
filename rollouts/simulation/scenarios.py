"""What users do with a Rollout, as scripts over a ``World``: each begins Healthy at v1 and ends at rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollouts.kube.objects import (
    ANALYSIS_TEMPLATES,
    CONFIGMAPS,
    HTTP_ROUTES,
    ROLLOUTS,
    SERVICES,
    Manifest,
    Resource,
)
from rollouts.simulation.backend import BAD, GOOD
from rollouts.simulation.world import NAME, World
from rollouts.workloads import labels

Script = Callable[[World], Awaitable[None]]

ROUTING = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": NAME}}}
CHECK = {"templates": [{"templateName": "errors"}]}
WATCH = {"templates": [{"templateName": "always"}]}
Steps = Sequence[Mapping[str, Any]]
PAUSE = {"pause": {"duration": 2}}
STEPS: Steps = [{"setWeight": 25}, PAUSE, {"setWeight": 60}, PAUSE]
ANALYSED: Steps = [{"setWeight": 25}, {"analysis": CHECK}, {"setWeight": 60}, PAUSE]
EXPERIMENT: Mapping[str, Any] = {
    "templates": [
        {"name": "baseline", "specRef": "stable", "weight": 10},
        {"name": "candidate", "specRef": "canary", "weight": 5},
    ],
    "analyses": [{"name": "errors", "templateName": "errors", "requiredForCompletion": True}],
    "scaleDownDelaySeconds": 0,
}
"""Two versions with traffic; without a delay at the end nothing but order keeps traffic off dead pods."""
COMPARED: Steps = [{"setWeight": 25}, {"experiment": EXPERIMENT}, {"setWeight": 60}, PAUSE]


@dataclass(frozen=True)
class Scenario:
    """A strategy, what the user does after v1 is Healthy, and the phase in which it ends."""

    name: str
    strategy: Mapping[str, Any]
    script: Script
    ends: str = "Healthy"
    stable: str = "v2"
    replicas: int = 3
    more: Mapping[str, Any] = field(default_factory=dict)
    config: bool = False
    """Whether pods mount a ConfigMap whose content belongs to the version."""

    async def begin(self, world: World) -> None:
        """Create everything at v1 and wait until it is Healthy."""
        for resource, body in self.objects():
            await world.create(resource, body)
        await world.phase("Healthy")

    async def play(self, world: World) -> None:
        """Do what the user does, wait for the last phase, then for rest."""
        await self.script(world)
        await world.phase(self.ends)
        await world.rest()
        await world.phase(self.ends)

    def objects(self) -> Sequence[tuple[Resource, Manifest]]:
        """Return what the user has created before."""
        services = [self.strategy_fields.get(name) for name in _SERVICE_FIELDS]
        found = [(SERVICES, service(str(name))) for name in services if name]
        found += [(ANALYSIS_TEMPLATES, template("errors", 2)), (ANALYSIS_TEMPLATES, template("always", None))]
        if "trafficRouting" in self.strategy_fields:
            found.append((HTTP_ROUTES, route()))
        if self.config:
            found.append((CONFIGMAPS, {"metadata": {"name": NAME}, "data": {"level": "info"}}))
        return [*found, (ROLLOUTS, self.rollout())]

    @property
    def strategy_fields(self) -> Mapping[str, Any]:
        """Return the fields under spec.strategy.canary or blueGreen."""
        fields: Mapping[str, Any] = next(iter(self.strategy.values()))
        return fields

    def rollout(self) -> Manifest:
        """Return the Rollout at v1."""
        container = {"name": NAME, "image": f"{NAME}:v1", "ports": [{"containerPort": 80}]}
        volumes = {"volumes": [{"name": "config", "configMap": {"name": NAME}}]} if self.config else {}
        notes = {"annotations": {labels.TRACK_CONFIG: "true"}} if self.config else {}
        return {
            "metadata": {"name": NAME, **notes},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": NAME}},
                "template": {
                    "metadata": {"labels": {"app": NAME}},
                    "spec": {"containers": [container], **volumes},
                },
                "strategy": self.strategy,
                **self.more,
            },
        }


_SERVICE_FIELDS = ("stableService", "canaryService", "activeService", "previewService")


def service(name: str) -> Manifest:
    """Return a Service for all pods of the application."""
    return {"metadata": {"name": name}, "spec": {"selector": {"app": NAME}, "ports": [{"port": 80}]}}


def route() -> Manifest:
    """Return an HTTPRoute with all traffic on stable."""
    refs = [{"name": "stable", "port": 80, "weight": 100}, {"name": "canary", "port": 80, "weight": 0}]
    spec = {"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": refs}]}
    return {"metadata": {"name": NAME}, "spec": spec}


def template(name: str, count: int | None) -> Manifest:
    """Return an AnalysisTemplate that refuses errors; without ``count`` it measures until it is stopped."""
    metric: Manifest = {
        "name": "errors",
        "interval": "1s",
        "successCondition": "result[0] < 0.05",
        "failureLimit": 0,
        "provider": {"prometheus": {"address": "http://metrics", "query": "errors"}},
    }
    if count is not None:
        metric["count"] = count
    return {"metadata": {"name": name}, "spec": {"metrics": [metric]}}


def basic(steps: Steps, **fields: Any) -> Mapping[str, Any]:
    """Return a canary that no router serves."""
    return {"canary": {"steps": list(steps), **fields}}


def routed(steps: Steps, **fields: Any) -> Mapping[str, Any]:
    """Return a canary behind an HTTPRoute."""
    names = {"stableService": "stable", "canaryService": "canary"}
    return {"canary": {"steps": list(steps), **names, "trafficRouting": ROUTING, **fields}}


def blue_green(**fields: Any) -> Mapping[str, Any]:
    """Return a blue-green strategy."""
    return {"blueGreen": {"activeService": "active", "previewService": "preview", **fields}}


# -- scripts ------------------------------------------------------------------------------------------------


async def update(world: World) -> None:
    """Bring v2 in."""
    await world.deploy("v2")


async def bad_update(world: World) -> None:
    """Bring v2 in, which fails its analysis."""
    world.backend.value = BAD
    await world.deploy("v2")


async def bad_on_the_way(world: World) -> None:
    """Bring v2 in, which turns bad at its second step."""
    await world.deploy("v2")
    await world.step(1)
    world.backend.value = BAD


async def bad_after_switch(world: World) -> None:
    """Bring v2 in, which turns out bad once users reach it."""
    await world.deploy("v2")
    await world.until(lambda st: _active(st) == st.get("currentPodHash"), "the switch")
    world.backend.value = BAD


def _active(status: Mapping[str, Any]) -> str:
    return str((status.get("blueGreen") or {}).get("activeSelector", ""))


async def abort(world: World) -> None:
    """Bring v2 in, and take it back at its third step."""
    await world.deploy("v2")
    await world.step(2)
    await world.status(abort=True)


async def abort_blue_green(world: World) -> None:
    """Bring v2 in, and take it back while the preview waits for a person."""
    await world.deploy("v2")
    await world.phase("Paused")
    await world.status(abort=True)


async def retry(world: World) -> None:
    """Let v2 fail its analysis, then try it again with a backend that is content."""
    await bad_update(world)
    await world.until(lambda st: bool(st.get("abort")), "the abort")
    await world.phase("Degraded")
    world.backend.value = GOOD
    await world.status(abort=False)


async def promote_full(world: World) -> None:
    """Bring v2 in and skip what is left at its first pause."""
    await world.deploy("v2")
    await world.step(1)
    await world.status(promoteFull=True)


async def promote_blue_green(world: World) -> None:
    """Bring v2 in and promote it by hand."""
    await world.deploy("v2")
    await world.phase("Paused")
    await world.status(pauseConditions=None)


async def promote_by_hand(world: World) -> None:
    """Bring v2 in and promote it at a pause without an end."""
    await world.deploy("v2")
    await world.phase("Paused")
    await world.status(pauseConditions=None)


async def third_version(world: World) -> None:
    """Bring v2 in, and v3 while v2 is under way."""
    await world.deploy("v2")
    await world.step(2)
    await world.deploy("v3")


async def back(world: World) -> None:
    """Bring v2 in, and go back to v1 while v2 is under way."""
    await world.deploy("v2")
    await world.step(2)
    await world.deploy("v1")


async def back_and_forth(world: World) -> None:
    """Bring v2 in, then v3 while v2 is under way, then v1 again."""
    await third_version(world)
    await world.step(1)
    await world.deploy("v1")


async def scale(world: World) -> None:
    """Ask for more pods in the middle of an update, then for fewer."""
    await world.deploy("v2")
    await world.step(1)
    await world.spec(replicas=5)
    await world.step(2)
    await world.clock.sleep(0.5)
    await world.spec(replicas=2)


async def config_then_image(world: World) -> None:
    """Change the config, and bring v2 in while that is under way."""
    await world.config(level="debug")
    await world.step(2)
    await world.deploy("v2")


MANUAL: Steps = [{"setWeight": 30}, {"pause": {}}]

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("canary", basic(STEPS), update),
        Scenario("canary-abort", basic(STEPS), abort, "Degraded", "v1"),
        Scenario("canary-failed", basic(ANALYSED), bad_update, "Degraded", "v1"),
        Scenario("canary-retry", basic(ANALYSED), retry),
        Scenario("canary-promote-full", basic(STEPS), promote_full),
        Scenario("canary-three-versions", basic(STEPS), third_version, stable="v3"),
        Scenario("canary-back", basic(STEPS), back, stable="v1"),
        Scenario("canary-scaled", basic(STEPS), scale),
        Scenario("canary-services", basic(STEPS, stableService="stable", canaryService="canary"), update),
        Scenario("routed", routed(STEPS), update),
        Scenario("routed-by-hand", routed(MANUAL), promote_by_hand),
        Scenario("routed-background", routed(STEPS, analysis=WATCH), update),
        Scenario("routed-background-failed", routed(STEPS, analysis=WATCH), bad_on_the_way, "Degraded", "v1"),
        Scenario("routed-abort", routed(STEPS), abort, "Degraded", "v1"),
        Scenario("routed-failed", routed(ANALYSED), bad_update, "Degraded", "v1"),
        Scenario("routed-retry", routed(ANALYSED), retry),
        Scenario("routed-promote-full", routed(STEPS), promote_full),
        Scenario("routed-experiment", routed(COMPARED), update),
        Scenario("routed-experiment-failed", routed(COMPARED), bad_update, "Degraded", "v1"),
        Scenario("routed-experiment-retry", routed(COMPARED), retry),
        Scenario("routed-three-versions", routed(STEPS), third_version, stable="v3"),
        Scenario("routed-back", routed(STEPS), back, stable="v1"),
        Scenario("routed-back-and-forth", routed(STEPS), back_and_forth, stable="v1"),
        Scenario("routed-scaled", routed(STEPS), scale),
        Scenario("routed-dynamic", routed(STEPS, dynamicStableScale=True), update),
        Scenario(
            "routed-dynamic-three-versions",
            routed(STEPS, dynamicStableScale=True),
            third_version,
            stable="v3",
        ),
        Scenario("routed-dynamic-abort", routed(STEPS, dynamicStableScale=True), abort, "Degraded", "v1"),
        Scenario("blue-green", blue_green(), update),
        Scenario("blue-green-by-hand", blue_green(autoPromotionEnabled=False), promote_blue_green),
        Scenario(
            "blue-green-checked",
            blue_green(prePromotionAnalysis=CHECK, postPromotionAnalysis=CHECK),
            update,
        ),
        Scenario(
            "blue-green-failed-before", blue_green(prePromotionAnalysis=CHECK), bad_update, "Degraded", "v1"
        ),
        Scenario(
            "blue-green-failed-after",
            blue_green(postPromotionAnalysis=CHECK),
            bad_after_switch,
            "Degraded",
            "v1",
        ),
        Scenario("blue-green-retry", blue_green(prePromotionAnalysis=CHECK), retry),
        Scenario(
            "blue-green-abort", blue_green(autoPromotionEnabled=False), abort_blue_green, "Degraded", "v1"
        ),
        Scenario("routed-config", routed(STEPS), config_then_image, config=True),
    )
}
