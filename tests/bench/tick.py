"""CPU time of a tick of the running agent, beside a floor of the same moment: a loop in C that wakes
as often, and preads the same files, which it opened once. Then how a tick grows with what is on
the host, as curves over an eighth, a quarter, a half and all of a number.

CPU times are of all threads, from schedstat. Curves of files are of the collectors alone over
made-up trees (growth.c); the others are of whole agents with BPF. What a host without any of it
costs in the same round is taken off each point; the exponent is fitted to what is left.
"""

import contextlib
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import peers

BUILD = Path(os.environ["MOONWATCH_BUILD"]) / "tests"
INTERVAL_MS = 1000
INTERVAL_MS_MIN = 100  # that the configuration allows: with warmer caches
SETTLE_SECONDS = 8
DEADLINE_SECONDS = 60
WINDOWS = 6
CURVE_WINDOWS = 5
WINDOW_SECONDS = 10  # two snapshots of the tasks, which are taken every 5 s
REQUIRED_RATIO = 3
# What noise and caches that no longer hold it all add to a line.
LINEAR = 1.15
# A part below this share of a tick cannot be told from noise.
FLAT = 0.1

# What every tick reads whole. What it opens and closes again is left out, which makes the floor
# lower.
READ = (
    "/proc/stat",
    "/proc/loadavg",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/proc/pressure/io",
    "/proc/meminfo",
    "/proc/vmstat",
    "/proc/diskstats",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
    "/proc/sys/fs/file-nr",
    "/proc/self/net/dev",
    "/proc/self/net/snmp",
    "/proc/self/net/netstat",
    "/proc/self/net/sockstat",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
)
# What is open and read now and then only.
SELDOM = ("/proc/self/mountinfo", "/proc/self/stat")


def read_at_each_tick(pid):
    """The files of READ that this agent has open; ends the benchmark when READ is out of date."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            path = os.readlink(entry).replace(f"/proc/{pid}/", "/proc/self/")
            if path.startswith(("/proc/", "/sys/")) and os.path.isfile(path):
                found.add(path)
    if unknown := found - {*READ, *SELDOM}:
        sys.exit(f"tick: is it read at each tick? {sorted(unknown)}")
    return sorted(found - {*SELDOM})


@contextlib.contextmanager
def running(arguments):
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ticks_of(agent):
    with urllib.request.urlopen(f"http://127.0.0.1:{agent.port}/metrics", timeout=10) as answer:
        return int(re.search(rb"^moonwatch_ticks_total (\d+)", answer.read(), re.MULTILINE)[1])


def wait_ticks(agent, count):
    wanted = ticks_of(agent) + count
    deadline = time.monotonic() + DEADLINE_SECONDS
    while ticks_of(agent) < wanted:
        if time.monotonic() > deadline:
            sys.exit(f"tick: no {count} ticks within {DEADLINE_SECONDS} s")
        time.sleep(0.1)


def tick_us(agents, floor_pid=None):
    """CPU time of a tick of each agent, and then what the floor took in the same window. What happens
    on the host makes ticks of its own, so the agent says how many there were; asking it is not part
    of the window."""
    before = [(ticks_of(agent), peers.cpu_seconds(agent.pid)) for agent in agents]
    floor_before = peers.cpu_seconds(floor_pid) if floor_pid else 0
    time.sleep(WINDOW_SECONDS)
    floor_cpu = peers.cpu_seconds(floor_pid) - floor_before if floor_pid else None
    after = [peers.cpu_seconds(agent.pid) for agent in agents]
    return [
        1e6 * (cpu - cpu_before) / (ticks_of(agent) - ticks_before)
        for agent, cpu, (ticks_before, cpu_before) in zip(agents, after, before)
    ], floor_cpu


def measure_floor(interval_ms):
    with peers.agent(overhead={"sample_interval_ms": interval_ms}) as agent:
        files = read_at_each_tick(agent.pid)
        with running([BUILD / "bench_floor", str(interval_ms), *files]) as floor:
            time.sleep(SETTLE_SECONDS)
            windows = [tick_us([agent], floor.pid) for _ in range(WINDOWS)]
    ours = [us for (us,), _ in windows]
    theirs = [1e3 * cpu * interval_ms / WINDOW_SECONDS for _, cpu in windows]
    peers.report(
        f"CPU of a tick each {interval_ms} ms",
        "us",
        ours,
        f"pread of {len(files)} files",
        theirs,
        REQUIRED_RATIO * statistics.median(theirs),
    )


def exponent(points):
    """The slope of a line through (log count, log us)."""
    logs = [(math.log(count), math.log(us)) for count, us in points]
    x_mean = statistics.fmean(x for x, _ in logs)
    y_mean = statistics.fmean(y for _, y in logs)
    return sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum((x - x_mean) ** 2 for x, _ in logs)


def report_curve(what, samples):
    """`samples`: {count: [us of a tick]}, with the count 0. A line for each, the exponent and the
    ratio of the last doubling beside the largest. Where less than two points can be told from noise
    there is none: were it worse than linear, the largest could."""
    medians = {count: statistics.median(us) for count, us in samples.items()}
    # Of the same round: what else the host does in it costs both.
    added = [
        (count, statistics.median(us - base for us, base in zip(samples[count], samples[0])))
        for count in sorted(medians)
        if count
    ]
    clear = [(count, us) for count, us in added if us > FLAT * medians[0]]
    slope = exponent(clear) if len(clear) > 1 else None
    for count in sorted(medians):
        largest = count == max(medians)
        line = {
            "name": f"tick, {count} {what}",
            "unit": "us",
            "ours": medians[count],
            "peer_name": "exponent" if largest else None,
            "peer": slope if largest else None,
            "ratio": clear[-1][1] / clear[-2][1] if largest and slope is not None else None,
            "required": f"exponent <= {LINEAR}" if largest else None,
            "ok": (slope is None or slope <= LINEAR) if largest else None,
            "repetitions": len(samples[count]),
            "spread_percent": 100 * (max(samples[count]) - min(samples[count])) / medians[count],
        }
        print(json.dumps(line), flush=True)


def measure_files():
    """The curves of growth.c."""
    curves = {}
    told = subprocess.run([BUILD / "bench_growth"], stdout=subprocess.PIPE, text=True, check=True)
    for line in map(json.loads, told.stdout.splitlines()):
        curves.setdefault(line["kind"], {}).setdefault(line["count"], []).append(line["us"])
    for kind, samples in curves.items():
        report_curve(kind, samples)


def eighths(count):
    return [0, count // 8, count // 4, count // 2, count]


def measure_agents(what, counts, sections):
    """One agent of each count, all at once; `sections(count)` is its configuration."""
    samples = {count: [] for count in counts}
    with contextlib.ExitStack() as stack:
        agents = [stack.enter_context(peers.agent(**sections(count))) for count in counts]
        time.sleep(SETTLE_SECONDS)
        for _ in range(CURVE_WINDOWS):
            for count, us in zip(counts, tick_us(agents)[0]):
                samples[count].append(us)
    report_curve(what, samples)


def upstreams(count):
    return [
        {"name": f"upstream{i}", "address": f"127.77.{i // 200}.{1 + i % 200}:9"} for i in range(count)
    ]


# Of each upstream there is one series of each; nothing is ever above.
SERIES = (
    "moonwatch_service_calls_total",
    "moonwatch_service_calls_failed_total",
    "moonwatch_service_calls_slow_total",
    "moonwatch_service_calls_abandoned_total",
    "moonwatch_service_calls_throttled_total",
    "moonwatch_service_connects_total",
    "moonwatch_service_connects_abandoned_total",
    "moonwatch_service_connections_open",
    "moonwatch_service_calls_in_flight",
    "moonwatch_service_sent_bytes_total",
    "moonwatch_service_received_bytes_total",
    "moonwatch_service_segments_sent_total",
    "moonwatch_service_segments_retransmitted_total",
    "moonwatch_breaker_opened_total",
    "moonwatch_breaker_probes_total",
    "moonwatch_breaker_connects_refused_total",
)


def judged_series(count):
    rules = [{"name": f"rule{i}", "metric": metric, "above": 1e18} for i, metric in enumerate(SERIES)]
    return {"upstreams": upstreams(count // len(SERIES)), "alert_manager": {"rules": rules}}


@contextlib.contextmanager
def crowd(*arguments):
    """bench_crowd with what it makes, all of which goes at the end."""
    command = [BUILD / "bench_crowd", *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if process.stdout.readline() != b"ok\n":
            sys.exit("tick: bench_crowd failed")
        yield
    finally:
        process.stdin.close()
        process.wait()


def measure_processes(count):
    """One agent, and as many processes as it is the turn of."""
    samples = {number: [] for number in eighths(count)}
    with peers.agent() as agent:
        time.sleep(SETTLE_SECONDS)
        for _ in range(CURVE_WINDOWS):
            for number, us in samples.items():
                with crowd("processes", number):
                    wait_ticks(agent, 2)  # with those that began, and without those that ended
                    us += tick_us([agent])[0]
    report_curve("processes", samples)


def cgroup_mount():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            return Path(fields.split()[4])
    return None


def measure_cgroup_rows(count):
    """An agent's maps have rows of the cgroups in which something happened since it began: those that
    come later have fewer."""
    mount = cgroup_mount()
    if not mount:
        return
    samples = {number: [] for number in eighths(count)}
    with contextlib.ExitStack() as stack:
        agents = {}
        for number in sorted(samples, reverse=True):
            agents[number] = stack.enter_context(peers.agent())
            fewer = max((other for other in samples if other < number), default=0)
            if number:
                name = f"moonwatch-bench-{os.getpid()}-{number}"
                stack.enter_context(crowd("cgroups", number - fewer, mount / name))
        time.sleep(SETTLE_SECONDS)
        for _ in range(CURVE_WINDOWS):
            for number, us in zip(agents, tick_us(list(agents.values()))[0]):
                samples[number].append(us)
    report_curve("cgroups with rows in maps", samples)


def main():
    for interval_ms in (INTERVAL_MS, INTERVAL_MS_MIN):
        measure_floor(interval_ms)
    measure_files()
    measure_processes(1000)
    measure_cgroup_rows(1000)
    measure_agents("upstreams", eighths(256), lambda count: {"upstreams": upstreams(count)})
    measure_agents("series judged", eighths(4000), judged_series)


main()
