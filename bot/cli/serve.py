"""`python -m bot serve`: runs the service until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

from bot import logs
from bot.app import running
from bot.cli.common import load_settings, usage_errors
from bot.settings.model import Settings


def run(*, log_level: str) -> None:
    """Serves until a signal. Raises UsageError when the service cannot start."""
    logs.configure(level=log_level)
    settings = load_settings()
    with usage_errors():
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    async with running(settings) as service:
        gc.freeze()  # what is loaded by now stays: looking for garbage in it takes tenths of a second
        sys.stdout.write(f"listening on {service.url}\n")
        sys.stdout.flush()
        await stop.wait()
