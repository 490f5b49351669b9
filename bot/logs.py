"""Logs on stderr: one JSON object per line, or readable lines on a terminal."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, level: str = "info") -> None:
    """Sets up structlog, and sends the libraries' warnings to the same stream.

    `level`: the minimum to log, a name of the logging module in any case.
    """
    minimum = logging.getLevelNamesMapping()[level.upper()]
    terminal = sys.stderr.isatty()
    renderer = _console() if terminal else structlog.processors.JSONRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    exceptions: list[structlog.typing.Processor] = (
        [] if terminal else [structlog.processors.format_exc_info]
    )
    structlog.configure(
        processors=[*shared, *exceptions, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *exceptions,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(minimum, logging.WARNING))


def _console() -> structlog.dev.ConsoleRenderer:
    """Without local variables in tracebacks, as is structlog's default: they hold tokens and codes."""
    tracebacks = structlog.dev.RichTracebackFormatter(show_locals=False)
    return structlog.dev.ConsoleRenderer(exception_formatter=tracebacks)
