"""The HTTP server."""

from __future__ import annotations

from contextlib import AsyncExitStack

from aiohttp import web

_SHUTDOWN_SECONDS = 10.0  # for requests in progress
_LINGER_SECONDS = 1.0  # for the rest of a body that is refused, so that its sender reads the answer


class ListenError(OSError):
    """The address cannot be listened on. The message says why and which settings to change."""


async def listen(
    application: web.Application, host: str, port: int, stack: AsyncExitStack, *, settings: str
) -> str:
    """Serves until `stack` exits; returns the base URL.

    `settings`: the ones to change if that fails. Raises `ListenError`.
    """
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
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ListenError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. "
            f"Set {settings}; port 0 picks a free one."
        ) from error
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
