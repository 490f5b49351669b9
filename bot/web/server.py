"""The HTTP server."""

from __future__ import annotations

from contextlib import AsyncExitStack

from aiohttp import web

from bot.settings.model import Settings

_SHUTDOWN_SECONDS = 10.0  # for requests in progress
_LINGER_SECONDS = 1.0  # for the rest of a body that is refused, so that its sender reads the answer


async def listen(application: web.Application, settings: Settings, stack: AsyncExitStack) -> str:
    """Serves until `stack` exits; returns the base URL. Raises OSError when it cannot listen."""
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        # A small compressed body can become a large one, and aiohttp would inflate also what is refused.
        auto_decompress=False,
        lingering_time=_LINGER_SECONDS,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.host, settings.port)
    await site.start()
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
