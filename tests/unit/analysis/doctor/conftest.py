"""The same recorded history as the backtests'."""

from tests.unit.analysis.backtest.conftest import past, prometheus_tools

__all__ = ["past", "prometheus_tools"]
