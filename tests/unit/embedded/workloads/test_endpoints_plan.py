"""Which endpoints a Service gets."""

from rollouts.embedded.workloads.endpoints import wanted_endpoints, wanted_slices


def service(target=8080, selector=None, **spec) -> dict:
    return {
        "metadata": {"name": "web", "namespace": "x", "uid": "s"},
        "spec": {
            "selector": {"app": "web"} if selector is None else selector,
            "ports": [{"name": "http", "port": 80, "targetPort": target}],
            **spec,
        },
    }


def pod(name: str, ip: str, *, ready=True, port: str | None = None, leaving=False, named: int = 0) -> dict:
    metadata = {"name": name, "namespace": "x", "uid": name, "labels": {"app": "web"}, "annotations": {}}
    if port:
        metadata["annotations"]["simulator.rollouts.dev/listens-on"] = port
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ports = [{"name": "web", "containerPort": named}] if named else []
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": metadata,
        "spec": {"nodeName": "n", "containers": [{"name": "c", "ports": ports}]},
        "status": {"phase": "Running", "podIP": ip, "conditions": [condition]},
    }


def test_ready_pods_are_ready_endpoints_and_leaving_ones_are_terminating():
    pods = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2", ready=False), pod("c", "10.0.0.3", leaving=True)]
    (only,) = wanted_slices(service(), pods).values()
    assert [e["conditions"] for e in only["endpoints"]] == [
        {"ready": True, "serving": True, "terminating": False},
        {"ready": False, "serving": False, "terminating": False},
        {"ready": False, "serving": True, "terminating": True},
    ]
    assert only["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert only["metadata"]["labels"]["kubernetes.io/service-name"] == "web"


def test_pods_that_listen_on_real_ports_of_their_own_get_a_slice_each():
    pods = [pod("a", "127.0.0.1", port="4001"), pod("b", "127.0.0.1", port="4002")]
    assert [s["ports"][0]["port"] for s in wanted_slices(service(), pods).values()] == [4001, 4002]


def test_a_named_target_port_is_looked_up_in_each_pod():
    (only,) = wanted_slices(service(target="web"), [pod("a", "10.0.0.1", named=9090)]).values()
    assert only["ports"][0]["port"] == 9090


def test_a_service_without_ready_pods_keeps_one_empty_slice():
    (only,) = wanted_slices(service(), []).values()
    assert only["endpoints"] == []


def test_endpoints_tell_ready_from_not_ready_addresses_and_drop_leaving_pods():
    pods = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2", ready=False), pod("c", "10.0.0.3", leaving=True)]
    (subset,) = wanted_endpoints(service(), pods)["subsets"]
    assert [a["ip"] for a in subset["addresses"]] == ["10.0.0.1"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.0.0.2"]


def test_slices_keep_their_names_while_ports_stay():
    first = wanted_slices(service(), [pod("a", "10.0.0.1")])
    second = wanted_slices(service(), [pod("b", "10.0.0.2")])
    assert first.keys() == second.keys()
