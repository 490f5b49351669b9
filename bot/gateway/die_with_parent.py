"""Becomes another program, which the kernel kills when the process that started it dies. Linux only.

    python -IS die_with_parent.py PARENT-PID PROGRAM [ARGUMENT...]

A program of its own: code between fork and exec of a process with threads can deadlock.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # from linux/prctl.h; kept by exec


def main() -> None:
    parent, program, *arguments = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    if os.getppid() != int(parent):
        sys.exit("The process that started this one is gone.")
    os.execv(program, [program, *arguments])  # noqa: S606 - found by process.py


if __name__ == "__main__":
    main()
