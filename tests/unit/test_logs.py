"""What logs show of an exception."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from bot import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[Terminal, io.StringIO])
def stderr(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[io.StringIO]:
    """The configured logs' stream: a terminal or a pipe."""
    stream = request.param()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def _fail(code: str) -> None:
    if code:
        raise ValueError("the sign-in failed")


def _secret() -> str:
    return "-".join(["eyJ0eXAi", "831205"])


def test_traceback_shows_no_local_variables(stderr: io.StringIO) -> None:
    try:
        _fail(_secret())
    except ValueError:
        structlog.get_logger().exception("turn.failed")
    assert "the sign-in failed" in stderr.getvalue()
    assert _secret() not in stderr.getvalue()


def test_traceback_shows_no_local_variables_when_a_library_logs(stderr: io.StringIO) -> None:
    try:
        _fail(_secret())
    except ValueError:
        logging.getLogger("aiohttp").exception("unhandled")
    assert "the sign-in failed" in stderr.getvalue()
    assert _secret() not in stderr.getvalue()
