"""Help and completion answer at once: they import no client, no models and no tables."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rollouts.cli.main import COMMANDS

HEAVY = {"aiohttp", "kubernetes_asyncio", "pydantic", "rich", "yaml", "asyncio", "prometheus_client"}
MODULES = 260
"""More than Python, click and the commands need; a library that slips in brings hundreds."""

PROGRAM = """
import sys
from rollouts.cli.main import cli
try:
    cli(args={args!r}, prog_name="rollouts")
finally:
    print("\\n".join(sys.modules), file=sys.stderr)
"""


def imported(*args: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(args=list(args))], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "args",
    [["--help"], ["explain", "--help"], ["get", "rollout", "--help"], ["completion", "bash"]],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    modules = imported(*args)
    assert modules & HEAVY == set()
    assert len(modules) < MODULES


def test_every_command_has_help_with_an_example_or_is_a_group() -> None:
    from click.testing import CliRunner  # noqa: PLC0415

    from rollouts.cli.main import cli  # noqa: PLC0415

    for name in set(COMMANDS) - {"demo", "run", "lint"}:
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0
        assert f"rollouts {name} " in shown.output.partition("\n")[2] or "Commands:" in shown.output
