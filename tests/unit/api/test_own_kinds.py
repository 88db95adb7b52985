"""Our own kinds: their definitions, their examples, and what lint says of wrong ones."""

from pathlib import Path

import pytest

from rollouts.api.argoproj.kinds import Kind
from rollouts.api.crdgen import definition, file_name
from rollouts.api.lint import lint_documents
from rollouts.api.rolloutsdev.kinds import API_VERSION, OWN_KINDS, SERVICE_LEVEL_OBJECTIVE

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((REPOSITORY / "manifests" / "examples").rglob("*.yaml"))
OBJECTIVE = """\
apiVersion: rollouts.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: a}
spec:
  objective: 0.999
  indicator:
    ratio: {total: hits_total, bad: errors_total}
"""


def lint(text: str) -> list[str]:
    return [str(finding) for finding in lint_documents(text)]


@pytest.mark.parametrize("kind", OWN_KINDS.values(), ids=lambda kind: kind.kind)
def test_a_model_says_its_own_kind_and_has_its_file(kind: Kind) -> None:
    fields = kind.model.model_fields
    assert (fields["api_version"].default, fields["kind"].default) == (API_VERSION, kind.kind)
    assert file_name(kind) == f"rollouts.dev_{kind.plural}.yaml"


def test_the_definition_is_of_our_group_with_status_and_columns() -> None:
    found = definition(SERVICE_LEVEL_OBJECTIVE)
    version = found["spec"]["versions"][0]
    assert found["metadata"]["name"] == "servicelevelobjectives.rollouts.dev"
    assert found["spec"]["group"] == "rollouts.dev"
    assert version["subresources"] == {"status": {}}
    assert "Budget" in [column["name"] for column in version["additionalPrinterColumns"]]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert spec["required"] == ["indicator", "objective"]
    assert spec["properties"]["objective"] == {"type": "number"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_have_no_findings(path: Path) -> None:
    assert lint(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("seen", "written", "finding"),
    [
        ("objective: 0.999", "objective: 99.9", "spec.objective: wanted a share between 0 and 1, not 99.9"),
        ("bad: errors_total", "bad: sum(errors_total)", "spec.indicator.ratio.bad: is a query without"),
        (
            "spec:\n",
            "spec:\n  windows: 7d\n",
            "spec.windows: unknown field: nothing reads it; did you mean window?",
        ),
        ("objective: 0.999", 'objective: "0.999"', "spec.objective"),
        ("  objective: 0.999\n", "", "spec.objective"),
        ("ServiceLevelObjective", "ServiceLevelObjectiv", "did you mean ServiceLevelObjective?"),
        ("rollouts.dev/v1alpha1", "rollouts.dev/v1", "wanted rollouts.dev/v1alpha1"),
    ],
    ids=["percent", "no window", "typo", "text", "missing", "kind", "version"],
)
def test_lint_names_what_is_wrong_with_an_objective(seen: str, written: str, finding: str) -> None:
    assert lint(OBJECTIVE) == []
    assert any(finding in found for found in lint(OBJECTIVE.replace(seen, written)))


PLUGIN = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: a}
spec:
  args: [{name: canary}]
  metrics:
  - name: burn
    provider:
      plugin:
        rollouts.dev/slo:
          slo:
            objective: 0.999
            indicator:
              ratio: {total: hits_total, bad: errors_total}
          burn: {canary: "{{args.canary}}"}
"""


def test_lint_looks_into_the_objective_of_a_template() -> None:
    assert lint(PLUGIN) == []
    (found,) = lint(PLUGIN.replace("0.999", "99.9"))
    where = 'spec.metrics[0].provider.plugin["rollouts.dev/slo"].slo.objective'
    assert where in found
    assert "write 0.999 for 99.9 %" in found
    assert lint(PLUGIN.replace("0.999", '"{{args.objective}}"')) == []
