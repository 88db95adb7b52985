"""kubectl's everyday verbs."""

from __future__ import annotations

import asyncio
import json

import yaml

from rollouts.kube.objects import DEPLOYMENTS
from tests.contract.definitions import GROUP, WIDGETS, deployment, widget
from tests.contract.implementations import Output, Wire


def _fine(output: Output) -> str:
    assert output.code == 0, output.err
    return output.out


async def test_apply_creates_then_configures_then_leaves(wire: Wire) -> None:
    body = widget("a", {"size": 1, "code": "abc"})
    assert "created" in _fine(await wire.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body)))
    body["spec"] = {"size": 2}
    assert "configured" in _fine(await wire.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body)))
    assert (await wire.get(WIDGETS, "a"))["spec"] == {"size": 2, "mode": "auto"}
    assert "unchanged" in _fine(await wire.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body)))


async def test_apply_of_a_deployment_merges_containers(wire: Wire) -> None:
    body = deployment("d")
    _fine(await wire.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body)))
    body["spec"]["template"]["spec"]["containers"][1]["image"] = "registry.example.com/b:2"
    assert "configured" in _fine(await wire.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body)))
    found = (await wire.get(DEPLOYMENTS, "d"))["spec"]["template"]["spec"]["containers"]
    assert [c["image"] for c in found] == ["registry.example.com/a:1", "registry.example.com/b:2"]


async def test_apply_refuses_an_unknown_field(wire: Wire) -> None:
    body = widget("a", {"size": 1, "unknown": 5})
    output = await wire.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))
    assert output.code != 0
    assert 'unknown field "spec.unknown"' in output.err


async def test_server_side_apply_tells_of_conflicts(wire: Wire) -> None:
    await wire.apply(WIDGETS, widget("a", {"size": 1}), "other")
    body = yaml.safe_dump(widget("a", {"size": 2}))
    refused = await wire.kubectl("apply", "--server-side", "-f", "-", stdin=body)
    assert refused.code != 0
    assert 'conflict with "other": .spec.size' in refused.err
    forced = await wire.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=body)
    assert "serverside-applied" in _fine(forced)


async def test_diff_shows_the_change_and_exits_with_one(wire: Wire) -> None:
    await wire.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(widget("a", {"size": 1})))
    same = await wire.kubectl("diff", "-f", "-", stdin=yaml.safe_dump(widget("a", {"size": 1})))
    assert same.code == 0, same.err
    output = await wire.kubectl("diff", "-f", "-", stdin=yaml.safe_dump(widget("a", {"size": 2})))
    assert output.code == 1, output.err
    assert "-  size: 1" in output.out
    assert "+  size: 2" in output.out


async def test_get_prints_the_columns(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a", {"size": 7}))
    lines = _fine(await wire.kubectl("get", "wg")).splitlines()
    assert lines[0].split() == ["NAME", "SIZE", "READY"]
    assert lines[1].split()[:2] == ["a", "7"]
    assert json.loads(_fine(await wire.kubectl("get", "widget", "a", "-o", "json")))["spec"]["size"] == 7


async def test_get_watch_prints_changes(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a", {"size": 7}))
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(
            wire.kubectl("get", "widgets", "-w", "--no-headers", "--request-timeout=3s")
        )
        await asyncio.sleep(1.5)
        await wire.merge(WIDGETS, "a", {"spec": {"size": 8}})
    sizes = [line.split()[1] for line in watching.result().out.splitlines()]
    assert sizes == ["7", "8"]


async def test_wait_for_a_condition(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(
            wire.kubectl("wait", "--for=condition=Ready", "widget/a", "--timeout=15s")
        )
        await asyncio.sleep(0.5)
        conditions = [{"type": "Ready", "status": "True"}]
        await wire.merge(WIDGETS, "a", {"status": {"conditions": conditions}}, subresource="status")
    assert "condition met" in _fine(waiting.result())


async def test_wait_for_a_deletion(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wire.kubectl("wait", "--for=delete", "widget/a", "--timeout=15s"))
        await asyncio.sleep(0.5)
        await wire.delete(WIDGETS, "a")
    _fine(waiting.result())


async def test_patch_label_annotate_and_scale(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    _fine(await wire.kubectl("patch", "widget", "a", "--type=merge", "-p", '{"spec":{"size":3}}'))
    operation = '[{"op":"replace","path":"/spec/mode","value":"manual"}]'
    _fine(await wire.kubectl("patch", "widget", "a", "--type=json", "-p", operation))
    _fine(await wire.kubectl("label", "widget", "a", "tier=front"))
    _fine(await wire.kubectl("annotate", "widget", "a", "note=x"))
    _fine(await wire.kubectl("scale", "widget/a", "--replicas=4"))
    found = await wire.get(WIDGETS, "a")
    assert found["spec"] == {"size": 3, "mode": "manual", "replicas": 4}
    assert found["metadata"]["labels"] == {"tier": "front"}
    assert found["metadata"]["annotations"] == {"note": "x"}
    _fine(await wire.kubectl("label", "widget", "a", "tier-"))
    assert "labels" not in (await wire.get(WIDGETS, "a"))["metadata"]


async def test_patch_of_a_status(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    patch = '{"status":{"phase":"Ready"}}'
    _fine(await wire.kubectl("patch", "widget", "a", "--subresource=status", "--type=merge", "-p", patch))
    assert (await wire.get(WIDGETS, "a"))["status"] == {"phase": "Ready"}


async def test_set_image_scale_and_strategic_patch_of_a_deployment(wire: Wire) -> None:
    await wire.create(DEPLOYMENTS, deployment("d"))
    _fine(await wire.kubectl("set", "image", "deployment/d", "a=registry.example.com/a:9"))
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"registry.example.com/b:9"}]}}}}'
    _fine(await wire.kubectl("patch", "deployment", "d", "-p", patch))
    found = (await wire.get(DEPLOYMENTS, "d"))["spec"]
    images = {c["name"]: c["image"] for c in found["template"]["spec"]["containers"]}
    assert images == {"a": "registry.example.com/a:9", "b": "registry.example.com/b:9"}


async def test_delete_waits_until_it_is_gone(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a"))
    assert "deleted" in _fine(await wire.kubectl("delete", "widget", "a"))
    output = await wire.kubectl("get", "widget", "a")
    assert "NotFound" in output.err


async def test_explain_describes_a_field(wire: Wire) -> None:
    text = _fine(await wire.kubectl("explain", "widget.spec.size"))
    assert "Edge length." in text
    assert "<integer>" in text


async def test_api_resources_lists_the_group(wire: Wire) -> None:
    text = _fine(await wire.kubectl("api-resources", f"--api-group={GROUP}"))
    assert "widgets" in text
    assert "wg" in text


async def test_describe_shows_the_object(wire: Wire) -> None:
    await wire.create(WIDGETS, widget("a", {"size": 7}))
    text = _fine(await wire.kubectl("describe", "widget", "a"))
    assert "Size:" in text
    assert "Kind:         Widget" in text
