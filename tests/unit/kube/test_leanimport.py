"""The generated classes of kubernetes_asyncio are loaded when somebody uses them, and not before."""

import subprocess
import sys

import pytest

BEGIN = """
import sys
import rollouts.kube.client
from rollouts.kube.leanimport import _StandIn
import kubernetes_asyncio.client as k8s
stand_ins = [name for name, module in sys.modules.items() if isinstance(module, _StandIn)]
assert len(stand_ins) > 500, len(stand_ins)
"""


@pytest.mark.parametrize(
    "use",
    [
        "api = k8s.CoreV1Api(k8s.ApiClient.__new__(k8s.ApiClient)); assert callable(api.list_namespaced_pod)",
        "pod = k8s.V1Pod(kind='Pod'); assert pod.kind == 'Pod'; assert isinstance(pod, k8s.V1Pod)",
        "assert k8s.V1Pod.openapi_types['kind'] == 'str'",
        "class Own(k8s.V1Pod): pass\nassert Own(kind='Pod').kind == 'Pod'",
        "from kubernetes_asyncio.client.models.v1_pod import V1Pod; assert V1Pod(kind='x').kind == 'x'",
        "assert k8s.Configuration().verify_ssl; assert k8s.ApiClient",
        "assert not isinstance(3, k8s.V1Pod)",
    ],
    ids=["an API", "a model", "a class attribute", "a subclass", "by its module", "hand-written", "others"],
)
def test_who_uses_a_generated_class_gets_the_real_one(use: str) -> None:
    answer = subprocess.run([sys.executable, "-c", BEGIN + use], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
