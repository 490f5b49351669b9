"""`OFFHOOK_METRICS`: metrics on the bot's port, on one of their own, or nowhere."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest

from bot.app import running
from bot.settings.model import Settings
from bot.web.server import ListenError


def _settings(folder: Path, metrics: str) -> Settings:
    return Settings(_env_file=None, port=0, data_dir=folder, metrics=metrics)  # pyright: ignore[reportCallIssue]


async def _status(url: str, path: str = "/metrics") -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}{path}") as response:
        return response.status


@pytest.mark.parametrize(("metrics", "status"), [("on", 200), ("off", 404)])
async def test_metrics_are_served_on_the_same_port_unless_off(
    tmp_path: Path, metrics: str, status: int
) -> None:
    async with running(_settings(tmp_path, metrics)) as service:
        assert await _status(service.url) == status


async def test_metrics_are_served_on_their_own_port_only_when_one_is_set(tmp_path: Path) -> None:
    async with running(_settings(tmp_path, "127.0.0.1:0")) as service:
        assert service.metrics_url != service.url
        assert await _status(service.metrics_url) == 200
        assert await _status(service.url) == 404
        assert await _status(service.metrics_url, "/readyz") == 404


async def test_running_names_the_setting_when_port_of_metrics_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ListenError, match=rf"127.0.0.1:{port}: .*OFFHOOK_METRICS"):
            async with running(_settings(tmp_path, str(port))):
                pass
