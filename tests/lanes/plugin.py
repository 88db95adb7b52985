"""The pytest plugin: assigns lanes, skips what cannot run, prints the table, fails an incomplete CI run."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

import pytest

from tests.lanes.ledger import Account, problems, skip_reason, table
from tests.lanes.registry import LANES, Lane, lane_named, lane_of_folder
from tests.lanes.sharing import group_of

PROPERTY = "lane"
"""How a test's report carries its lane, also out of another process."""
MARKER = "lane(name, *also): the lane that the test counts for, and further lanes whose parts it needs"


class LanePlugin:
    """One run's account of its lanes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._accounts: dict[str, Account] = defaultdict(Account)
        self._missing: dict[str, str] = {}
        self._finished: set[str] = set()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the lane and, for runs in several processes, what the test shares with others.

        Raises UnknownLane for a wrong marker. Later would be too late: a worker names its tests by group.
        """
        lane = _needs(item)[0].name
        item.user_properties.append((PROPERTY, lane))
        group = group_of(item, lane)
        if group and self._config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(group))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test whose lane is missing, before any fixture starts anything."""
        for lane in _needs(item):
            missing = self._missing.setdefault(lane.name, "") or self._probe(lane)
            if missing:
                pytest.skip(skip_reason(lane, missing))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one outcome for each test: the first that is not a pass, else the call's."""
        account = self._accounts[_lane_of(report.user_properties)]
        account.seconds += report.duration
        if report.nodeid in self._finished or (report.passed and report.when != "teardown"):
            return
        self._finished.add(report.nodeid)
        if report.skipped:
            account.skipped[_reason(report)] += 1
        elif report.failed:
            account.failed += 1
        else:
            account.passed += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a green but incomplete CI run red. A worker of several sees a part alone and says nothing."""
        if hasattr(self._config, "workerinput"):
            return
        if session.exitstatus == pytest.ExitCode.OK and self._problems():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, just above pytest's closing line."""
        if not self._accounts:
            return
        terminalreporter.section("lanes")
        for line in table(self._accounts, list(LANES.values()), whole_run=self._whole_run()):
            terminalreporter.write_line(line)
        for problem in self._problems():
            terminalreporter.write_line(f"CI=true and a lane is incomplete: {problem}", red=True)

    def _probe(self, lane: Lane) -> str:
        self._missing[lane.name] = lane.missing()
        return self._missing[lane.name]

    def _problems(self) -> list[str]:
        if os.environ.get("CI", "").lower() not in ("true", "1"):
            return []
        return problems(self._accounts, LANES.values(), whole_run=self._whole_run())

    def _whole_run(self) -> bool:
        option = self._config.option
        everything = self._config.args == self._config.getini("testpaths")
        return everything and not (option.keyword or option.markexpr or option.collectonly)


def _lane_of(properties: Iterable[tuple[str, object]]) -> str:
    return str(next((value for name, value in properties if name == PROPERTY), "unit"))


def _needs(item: pytest.Item) -> list[Lane]:
    marker = item.get_closest_marker("lane")
    if marker is not None:
        return [lane_named(name) for name in marker.args]
    parts = item.nodeid.split("::")[0].split("/")
    callspec = getattr(item, "callspec", None)
    folder = parts[parts.index("tests") + 1] if "tests" in parts else ""
    return [lane_named(lane_of_folder(folder, callspec.id if callspec else ""))]


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
