"""A process that crashes."""

import ctypes
import os
import resource
import signal
import time

PR_SET_NAME = 15
LIBC = ctypes.CDLL(None)


def crash(name):
    """Ends a process of that name by SIGSEGV; returns when the signal was sent."""
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        LIBC.prctl(PR_SET_NAME, name.encode())
        os.write(go, b"r")
        while True:
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(go)
    at = time.monotonic_ns()
    os.kill(child, signal.SIGSEGV)
    os.waitpid(child, 0)
    return at
