"""How much longer `perf bench sched pipe` takes with the whole agent running than with nothing, and
with packaged runqlat than with nothing: by turns, each turn's three runs compared with each other.

Both ends of the pipe share one CPU, so that each message is a context switch; left alone they move
between CPUs, which changes the time by more than any tracer does. They keep that CPU busy, so their
CPU time, which tracers add to, is the time by the clock unless somebody else wants the CPU too:
what is required is required of the former, and both are shown.
"""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time

import peers

REPETITIONS = 9
MESSAGES = 100_000
RUNQLAT = "/usr/sbin/runqlat"
ATTACH_SECONDS = 30
# The agent's first second reads files of which it later rereads only the figures.
SETTLE_SECONDS = 2
LIMIT = 1.10


def bench():
    """Seconds of CPU and by the clock."""
    command = ["perf", "bench", "--format=simple", "sched", "pipe", "-l", str(MESSAGES)]
    last = str(max(os.sched_getaffinity(0)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(["taskset", "-c", last, *command], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "clock": float(run.stdout)}


def programs_of(pid):
    """How many BPF programs a process holds attached."""
    links = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{fd}") as info:
            links += "link_type:" in info.read()
    return links


def attached(peer):
    """Whether the agent's scheduler program runs."""
    with peer.connect() as connection:
        connection.sendall(peers.REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"))
        page = b""
        while part := connection.recv(1 << 18):
            page += part
    return any(b'"runq_switch"' in line and b'state="attached"' in line for line in page.splitlines())


@contextlib.contextmanager
def nothing():
    yield


@contextlib.contextmanager
def agent():
    # The budget would shed the scheduler program, at this many switches, to spare the host its cost.
    with peers.agent(overhead={"budget_percent": 0}) as peer:
        time.sleep(SETTLE_SECONDS)
        yield
        if not attached(peer):
            sys.exit("pipe: the agent's scheduler program does not run")


@contextlib.contextmanager
def runqlat():
    process = subprocess.Popen([RUNQLAT, "3600", "1"], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + ATTACH_SECONDS
        # Two wakeups and the switch.
        while programs_of(process.pid) < 3:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"pipe: {RUNQLAT} did not attach")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def main():
    ratios = {(kind, name): [] for kind in ("cpu", "clock") for name in ("agent", "runqlat")}
    bench()  # warms up
    for turn in range(REPETITIONS):
        runs = [("nothing", nothing), ("agent", agent), ("runqlat", runqlat)]
        seconds = {}
        # Whoever comes first in a turn does not always come first.
        for name, beside in runs[turn % 3 :] + runs[: turn % 3]:
            with beside():
                seconds[name] = bench()
        for (kind, name), list_of in ratios.items():
            list_of.append(seconds[name][kind] / seconds["nothing"][kind])
    for kind, title, limit in (
        ("cpu", "perf bench sched pipe with the agent", LIMIT),
        ("clock", "the same by the clock", None),
    ):
        ours, theirs = ratios[kind, "agent"], ratios[kind, "runqlat"]
        peers.report(title, "x without", ours, "with runqlat", theirs, limit)


main()
