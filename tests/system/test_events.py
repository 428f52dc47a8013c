"""Crashes and OOM kills that really happen appear over HTTP, and do not wait for the next sample."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alerting import Ticks
from conftest import DEADLINE_SECONDS, wait_for, wait_until

MIB = 1 << 20
# Of crashes, and as many of other exits.
ROWS_KEPT = 16


def events(agent):
    return agent.json("/health/resources")["events"]


def find(rows, pid):
    return next((row for row in rows if row["pid"] == pid), None)


def wait_for_row(agent, name, pid):
    """The row of the event of this process."""
    return wait_for(lambda: find(events(agent)[name], pid), f"{name} of {pid}")


def crash(code, **kwargs):
    """Runs a Python program that ends badly; returns the process, ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n" + code],
        stderr=subprocess.DEVNULL,
        **kwargs,
    )
    process.wait(DEADLINE_SECONDS)
    return process


def crash_shown(agent, end):
    """end() ends a process badly and returns what it left; that, and its row. Newer rows push older ones
    out: when others crash that often beside it, and only then, it is done again."""
    for _ in range(20):
        before = agent.metric("moonwatch_abnormal_exits_total")
        process = end()
        row = wait_until(
            lambda: find(events(agent)["abnormal_exits"], process.pid),
            lambda row: row or agent.metric("moonwatch_abnormal_exits_total") - before > ROWS_KEPT,
            f"the exit of {process.pid}",
        )
        if row:
            return process, row
    pytest.fail("others crash too often for any row to be seen")


@pytest.mark.parametrize(
    "code, signo, status",
    [
        ("import ctypes; ctypes.string_at(0)", signal.SIGSEGV, 0),
        ("import os; os.abort()", signal.SIGABRT, 0),
        ("raise SystemExit(3)", 0, 3),
    ],
    ids=["SIGSEGV", "SIGABRT", "exit 3"],
)
def test_a_crash_appears(agent, code, signo, status):
    agent.next_tick()
    before = agent.metric("moonwatch_abnormal_exits_total")
    crashes_before = agent.metric("moonwatch_crashes_total")
    began = time.monotonic()
    process, row = crash_shown(agent, lambda: crash(code))
    assert process.returncode == (-signo if signo else status)
    assert row["kind"] == ("crash" if signo else "exit")
    assert row["signal"] == signo
    assert row["exit_status"] == status
    assert row["ppid"] == os.getpid()
    assert row["comm"].startswith("python3")
    assert 0 < row["age_seconds"] < time.monotonic() - began
    assert agent.metric("moonwatch_abnormal_exits_total") >= before + 1
    if signo:
        assert agent.metric("moonwatch_crashes_total") >= crashes_before + 1


def test_an_exit_with_status_0_is_no_event(agent):
    quiet = crash("pass")
    assert quiet.returncode == 0
    crash_shown(agent, lambda: crash("raise SystemExit(4)"))
    assert find(events(agent)["abnormal_exits"], quiet.pid) is None


def test_a_crash_names_its_cgroup(agent, cgroup2):
    def end():
        process = cgroup2.popen([sys.executable, "-c", "raise SystemExit(5)"])
        process.wait(DEADLINE_SECONDS)
        return process

    process, row = crash_shown(agent, end)
    assert process.returncode == 5
    assert row["cgroup"] == "/" + cgroup2.path.name


def abort():
    process = subprocess.Popen(["sh", "-c", "ulimit -c 0; kill -ABRT $$"])
    process.wait(DEADLINE_SECONDS)
    return process


def test_a_crash_does_not_wait_for_the_next_sample(agent):
    """Crashes that come one after the other, each once the one before has appeared, make samples of their
    own."""
    ticks = Ticks(agent)

    def crash_once_more():
        crash_shown(agent, abort)
        return ticks.beyond_timer()

    wait_for(crash_once_more, "more samples than the timer's")


def test_an_oom_kill_appears_with_its_capsule(agent, memory_cgroup):
    limit = 64 * MIB
    memory_cgroup.set_limit(limit)
    before = agent.metric("moonwatch_oom_victims_total")
    kernel_before = agent.json("/health/resources")["memory"].get("oom_kills_total")
    process = memory_cgroup.popen(
        [sys.executable, "-c", "blocks = [bytearray(1 << 20) for _ in range(4096)]"],
        stderr=subprocess.DEVNULL,
    )
    assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
    row = wait_for_row(agent, "oom_kills", process.pid)
    said = agent.wait_log(lambda e: e.get("pid") == process.pid)
    assert said["cgroup"] == "/" + memory_cgroup.path.name and said["level"] == "CRITICAL"
    assert row["scope"] == "cgroup"
    assert row["cgroup"] == row["limit_cgroup"] == "/" + memory_cgroup.path.name
    assert row["limit_bytes"] == limit
    assert limit / 2 < row["anon_rss_bytes"] < limit + 16 * MIB
    victim = find(row["top"], process.pid)
    assert victim["rss_bytes"] == row["anon_rss_bytes"] + row["file_rss_bytes"]
    assert all(other["pid"] != os.getpid() for other in row["top"])
    assert agent.metric("moonwatch_oom_victims_total") >= before + 1
    if kernel_before is not None:
        agent.next_tick()
        assert agent.json("/health/resources")["memory"]["oom_kills_total"] >= kernel_before + 1


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def larger_than_all_but(count):
    """A size that at most `count` processes of this host reach, in bytes."""
    sizes = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            sizes.append(resident_bytes(path.name))
        except OSError:  # it has ended
            pass
    sizes = sorted([0] * (count + 1) + sizes)
    return max(400 * MIB, int(1.25 * sizes[-count - 1]))


def test_the_largest_process_is_a_top_offender(agent):
    size = larger_than_all_but(4)
    holder = subprocess.Popen(
        [sys.executable, "-c", f"block = bytearray({size}); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()

        def row():
            return find(agent.json("/health/resources")["memory"]["top"], holder.pid)

        wait_until(
            row,
            lambda found: found and abs(found["rss_bytes"] - resident_bytes(holder.pid)) < 4 * MIB,
            "the process among the top offenders, with its size",
        )
    finally:
        holder.communicate(b"\n")
