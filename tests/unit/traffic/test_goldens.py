"""Every router's objects after each step of one update, as a person reads them in YAML.

A golden file holds what the user wrote, then for each step the objects that it changed. ``python -m
tests.unit.traffic.test_goldens`` writes them anew; the difference is then read, not trusted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.kube.objects import Manifest
from rollouts.testing.router_contract import Live, applied
from rollouts.traffic.registry import routers_for
from rollouts.traffic.router import HeaderMatch, HeaderRoute, TrafficIntent
from tests.cluster.router_samples import CANARY, SAMPLES, STABLE, Sample

GOLDEN = Path(__file__).parent / "golden"
NAMES = [name for name in SAMPLES if not name.endswith("route") or name == "openshift-route"]
"""Routes of the Gateway API have golden files of their own."""

OWNER = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "name": "shop",
    "uid": "r",
    "controller": True,
}
HEADER = HeaderRoute(name="to-canary", matches=(HeaderMatch(header="x-canary", exact="yes"),))


def steps(sample: Sample) -> Iterator[tuple[str, TrafficIntent]]:
    """Yield one update: its weights, a header route where there are some, promotion."""
    base = TrafficIntent(
        rollout="shop",
        namespace="town",
        stable_service=STABLE,
        canary_service=CANARY,
        stable_hash="v1hash",
        canary_hash="v2hash",
        canary_weight=0,
        managed_routes=("to-canary",) if sample.headers else (),
        owner=OWNER,
    )
    yield "setWeight-20", replace(base, canary_weight=20)
    if sample.headers:
        yield "setHeaderRoute", replace(base, canary_weight=20, header_routes=(HEADER,))
    yield "setWeight-100", replace(base, canary_weight=100)
    yield "promoted", replace(base, stable_hash="v2hash")


def replay(name: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of a golden file."""
    sample = SAMPLES[name]
    ((router, config),) = routers_for(sample.routing)
    live: Live = tuple(_stored(obj) for obj in sample.objects)
    yield {"trafficRouting": sample.routing, "objects": [_plain(obj) for obj in live]}
    for step, intent in steps(sample):
        before = live
        live = applied(live, router.plan(config, live, intent))
        changed = [_plain(obj) for obj in live if obj not in before]
        gone = {_title(obj) for obj in before} - {_title(obj) for obj in live}
        yield {"step": step, "objects": changed} | ({"gone": sorted(gone)} if gone else {})


@pytest.mark.parametrize("name", NAMES)
def test_an_update_writes_what_the_golden_file_shows(name: str) -> None:
    documents = list(yaml.safe_load_all((GOLDEN / f"{name}.yaml").read_text()))
    replayed = list(replay(name))
    assert [document.get("step") for document in replayed] == [d.get("step") for d in documents]
    for found, wanted in zip(replayed, documents, strict=True):
        assert found == wanted, wanted.get("step", "what the user wrote")


def _stored(obj: Manifest) -> Manifest:
    meta = {**obj["metadata"], "namespace": "town", "resourceVersion": "1", "uid": "u"}
    return {**obj, "metadata": meta}


def _plain(obj: Manifest) -> Manifest:
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("resourceVersion", "uid", "namespace")}
    return {**obj, "metadata": meta}


def _title(obj: Manifest) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def main() -> None:
    """Write every golden file."""
    for name in NAMES:
        text = yaml.dump_all(replay(name), Dumper=_Dumper, sort_keys=False, width=110)
        (GOLDEN / f"{name}.yaml").write_text(text)


if __name__ == "__main__":
    main()
