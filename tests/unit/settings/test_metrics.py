"""Where metrics are served."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bot.settings.model import Settings


def _settings(metrics: str, **more: str | int) -> Settings:
    return Settings(_env_file=None, metrics=metrics, **more)  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.mark.parametrize(("written", "read"), [("on", "on"), (" ON ", "on"), ("Off", "off")])
def test_metrics_are_on_or_off_in_any_case(written: str, read: str) -> None:
    assert _settings(written).metrics == read


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("9090", ("127.0.0.1", 9090)),
        ("localhost:9090", ("localhost", 9090)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_metrics_have_an_address_when_a_port_is_named(
    written: str, address: tuple[str, int]
) -> None:
    assert _settings(written).metrics_address == address


@pytest.mark.parametrize("written", ["", "yes", "65536", "-1", "host", "host:", "9090:host", "¹"])
def test_metrics_are_refused_when_unreadable(written: str) -> None:
    with pytest.raises(ValidationError, match="write on, off, a port, or host:port"):
        _settings(written)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [("0.0.0.0:9090", "only this machine"), ("3978", "the bot's own port: use `on`")],
)
def test_metrics_are_refused_when_address_is_not_allowed(written: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=f"OFFHOOK_METRICS is .*{sentence}"):
        _settings(written)
