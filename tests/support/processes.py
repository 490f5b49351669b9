"""Processes that start with the service already imported.

Importing it takes longer than most of what the tests let a process do. They are forked from one that has
done nothing but import it, and are as separate from each other, and as mortal, as any process.
"""

from __future__ import annotations

import multiprocessing
import os
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def context() -> ForkServerContext:
    """Where to get processes, pools and pipes from."""
    prepared = multiprocessing.get_context("forkserver")
    prepared.set_forkserver_preload(["bot.app", "bot.gateway.powershell", "tests.support.service"])
    # Python 3.11 does not tell the server where this process finds its modules.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return prepared
