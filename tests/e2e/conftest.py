"""A real chat client in a real browser, for a bot that the test starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, async_playwright, expect

from bot.cli.playground import chat_client
from tests.support.waiting import PATIENCE

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser_path() -> str:
    configured = os.environ.get("OFFHOOK_TEST_BROWSER")
    path = next(filter(None, map(shutil.which, [configured] if configured else _BROWSERS)), None)
    assert path, "No Chromium on the PATH. `make test` installs one; or set OFFHOOK_TEST_BROWSER."
    return path


@pytest.fixture
async def browser(browser_path: str) -> AsyncIterator[Browser]:
    # Chromium's sandbox does not start as root, and CI runs as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        expect.set_options(timeout=PATIENCE * 1000)
        browser = await playwright.chromium.launch(
            executable_path=browser_path, args=arguments, timeout=PATIENCE * 1000
        )
        yield browser
        await browser.close()


@pytest.fixture
async def client_url() -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Returns a function that starts the chat client for a bot URL and returns the client's URL."""
    async with AsyncExitStack() as stack:

        async def start(bot_url: str) -> str:
            client = await stack.enter_async_context(chat_client(bot_url, port=0))
            return client.url

        yield start
