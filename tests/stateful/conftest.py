"""Says at the end how much the state machine did."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "stateful" and report.when == "call":
                terminalreporter.write_line(f"stateful: {value}")
