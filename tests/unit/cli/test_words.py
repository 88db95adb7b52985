"""Kinds, names, kubeconfigs and moments as commands read and write them."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
import yaml
from click import ClickException
from rich.console import Console

from rollouts.cli.connection import Seconds
from rollouts.cli.explain import when
from rollouts.cli.kinds import kind_of, without_kind
from rollouts.cli.kubeconfig import missing_file, read_contexts
from rollouts.cli.render import plain, rollout_parts
from rollouts.controllers.rollout.explain import Line
from rollouts.kube import objects
from rollouts.views.rollout import rollout_view
from tests.unit.controllers.rollout.world import basic

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "kind"),
    [("ro", "rollout"), ("Rollouts", "rollout"), ("exp", "experiment"), ("ar", "analysisrun"), ("web", "")],
)
def test_kinds_are_known_by_all_their_spellings(word: str, kind: str) -> None:
    assert kind_of(word) == kind


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("web",), ("web",)),
        (("rollout", "web"), ("web",)),
        (("web", "api", "web"), ("web", "api")),
        (("rollout",), ("rollout",)),
    ],
    ids=str,
)
def test_a_leading_kind_is_no_name(words: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert without_kind("rollout", words) == names


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("10s", 10.0), ("1m30s", 90.0), ("0", 0.0)])
def test_times_are_read_as_seconds_or_go_durations(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "config"
    config = {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "namespace": "shop"}},
            {"name": "two", "context": {"cluster": "c"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://user:pw@host:6443/token/secret"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_a_kubeconfig_gives_namespace_and_server_without_secrets(kubeconfig: str) -> None:
    contexts = read_contexts(kubeconfig)
    assert (contexts.namespace(), contexts.namespace("two")) == ("shop", "")
    assert contexts.server() == "https://host:6443"


def test_an_unknown_context_is_answered_with_those_that_exist(kubeconfig: str) -> None:
    with pytest.raises(ClickException, match=r"no context 'three' in the kubeconfig. There are: one, two"):
        read_contexts(kubeconfig).check("three")


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "contexts: 5", "contexts: [7, {name: x}]", "{", "clusters: {}"]
)
def test_a_kubeconfig_that_is_none_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    contexts = read_contexts(str(path))
    assert (contexts.namespace(), contexts.server()) == ("", "")


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    assert missing_file(str(tmp_path / "nope")) == f"the kubeconfig {tmp_path / 'nope'} does not exist"


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("", ""),
        ("2026-01-01T12:01:30Z", "(in 90s)"),
        ("2026-01-01T11:50:00Z", "(10m ago)"),
        ("2026-01-01T12:00:00Z", "(now)"),
    ],
)
def test_a_moment_is_told_with_its_distance(at: str, end: str) -> None:
    assert when(Line("x", at), NOW).endswith(end)


def test_piped_text_is_neither_cut_nor_padded_nor_coloured() -> None:
    image = "registry.example.com/" + "long/" * 60 + "[red]web[/red]:v1"
    world = basic()
    world.settle()
    world.deploy(image)
    world.settle()
    sets = world.cache.list(objects.REPLICASETS)
    text = plain(rollout_parts(rollout_view(world.rollout, sets, (), (), NOW)))
    assert image in text
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_narrow_terminal_has_no_column_of_kinds() -> None:
    world = basic()
    world.settle()
    view = rollout_view(world.rollout, world.cache.list(objects.REPLICASETS), (), (), NOW)
    shown = {}
    for width in (80, 120):
        screen = Console(width=width, force_terminal=True, file=StringIO())
        with screen.capture() as captured:
            for part in rollout_parts(view):
                screen.print(part)
        shown[width] = captured.get()
    assert ("KIND" in shown[80], "KIND" in shown[120]) == (False, True)
    assert "4/4 available" in shown[80]
