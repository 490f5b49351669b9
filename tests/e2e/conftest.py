"""A real chat client in a real browser, in front of whatever bot a test starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, async_playwright

from bot.cli.playground import chat_client

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser_path() -> str:
    named = os.environ.get("OFFHOOK_TEST_BROWSER")
    found = next(filter(None, map(shutil.which, [named] if named else _BROWSERS)), None)
    assert found, "No Chromium on the PATH. `make test` installs one; or set OFFHOOK_TEST_BROWSER."
    return found


@pytest.fixture
async def browser(browser_path: str) -> AsyncIterator[Browser]:
    # Chromium's own sandbox does not start as root, which CI is.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=browser_path, args=arguments)
        yield started
        await started.close()


@pytest.fixture
async def client_url() -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Starts the chat client for the bot at the address given, and gives the client's address."""
    async with AsyncExitStack() as stack:

        async def start(bot_url: str) -> str:
            client = await stack.enter_async_context(chat_client(bot_url, port=0))
            return client.url

        yield start
