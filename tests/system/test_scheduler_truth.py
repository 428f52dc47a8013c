"""Run-queue delay of the running agent against packaged runqlat, on the same load at the same time."""

import os
import re
import shutil
import signal
import subprocess

import pytest
from conftest import DEADLINE_SECONDS, wait_for

pytestmark = pytest.mark.alone

RUNQLAT = "/usr/sbin/runqlat"
BUCKET = re.compile(r'moonwatch_run_queue_delay_seconds_bucket\{class="(\w+)",le="([^"]+)"\}')


class Runqlat:
    """runqlat with all three of its programs attached."""

    def __init__(self):
        self.process = subprocess.Popen(
            [RUNQLAT, "3600", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_for(lambda: self.links() >= 3, "runqlat to attach")

    def links(self):
        assert self.process.poll() is None, "runqlat ended"
        directory, count = f"/proc/{self.process.pid}/fdinfo", 0
        for fd in os.listdir(directory):
            try:
                with open(f"{directory}/{fd}") as info:
                    count += "link_type:" in info.read()
            except (FileNotFoundError, ProcessLookupError):
                pass
        return count

    def stop(self):
        """{lower bound in seconds: count} since it was attached."""
        # It looks whether it was told to end before it goes to sleep for an hour, and may be told between.
        def told():
            self.process.send_signal(signal.SIGINT)
            return self.process.poll() is not None

        wait_for(told, "runqlat's end")
        out = self.process.stdout.read()
        rows = re.findall(r"^\s*(\d+) -> \d+\s*: (\d+)", out, re.M)
        return {int(low) / 1e6: int(count) for low, count in rows}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def busy_agent(make_agent):
    """No budget: under this load it would shed the scheduler program."""
    for program in (RUNQLAT, "perf"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    return make_agent(config={"overhead": {"budget_percent": 0}}).start()


def delays(samples):
    """{upper bound in seconds: how many waited at most so long}, of all classes."""
    sums = {}
    for key, value in samples.items():
        if match := BUCKET.fullmatch(key):
            bound = float(match[2].replace("+Inf", "inf"))
            sums[bound] = sums.get(bound, 0) + value
    return sums


PROCESSES = 160  # 20 senders and 20 receivers in each of 4 groups


def load(loops):
    """Waits of PROCESSES for one CPU, from none to many milliseconds. How many they are is up to the
    machine, but each process waits once at the least, and gives the CPU up to wait for the others."""
    cpu = str(max(os.sched_getaffinity(0)))
    command = ["taskset", "-c", cpu, "perf", "bench", "sched", "messaging", "-g", "4", "-l", str(loops)]
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=DEADLINE_SECONDS,
        # Of the class "normal", whatever this test's own niceness.
        preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, 0),
    )


def between(before, after):
    return {le: after[le] - before.get(le, 0) for le in after}


class Measurement:
    """One load as runqlat saw it, and as we did at the least and at the most: from after it was attached
    to before it went, and from before to after. Others' waits in between are in only one of these."""

    def __init__(self, agent):
        self.agent = agent
        before = delays(agent.metrics())
        runqlat = Runqlat()
        try:
            attached = self.next_page()
            load(250)
            loaded = self.next_page()
            self.theirs = runqlat.stop()
        finally:
            runqlat.close()
        self.least, self.most = between(attached, loaded), between(before, self.next_page())

    def next_page(self):
        self.agent.next_tick()
        return delays(self.agent.metrics())

    def theirs_above(self, bound_us):
        return sum(count for low, count in self.theirs.items() if low >= bound_us / 1e6)

    def ours_above(self, bound_ns):
        """At the least and at the most."""
        return [sums[float("inf")] - sums[bound_ns / 1e9] for sums in (self.least, self.most)]

    def assert_agree_above(self, their_bound_us, our_bound_ns, within):
        truth, (least, most) = self.theirs_above(their_bound_us), self.ours_above(our_bound_ns)
        assert truth > PROCESSES, "the load made too few waits to compare"
        assert least <= (1 + within) * truth, (least, truth, most)
        assert truth <= (1 + within) * most, (least, truth, most)

    def assert_same_shape(self, within):
        """Each bound of ours lies between two of theirs."""
        for power in range(4, 14):
            least, most = self.ours_above(2 ** (10 + power))
            wider, narrower = self.theirs_above(2**power), self.theirs_above(2 ** (power + 1))
            assert least <= (1 + within) * wider, (power, least, wider)
            assert narrower <= (1 + within) * most, (power, narrower, most)


def test_counts_are_runqlats(busy_agent):
    """Of waits above 16 us: of these 0.1 % lie between its bound and ours. And of those above 1 ms, which
    are what an operator looks for."""
    measured = Measurement(busy_agent)
    measured.assert_agree_above(16, 2**14, within=0.1)
    measured.assert_agree_above(1024, 2**20, within=0.15)
    measured.assert_same_shape(within=0.1)


def test_json_and_metrics_say_the_same(busy_agent):
    """/health/scheduler is the sum of the classes that /health/priority and /metrics show."""
    load(50)
    busy_agent.next_tick()

    def one_tick():
        scheduler = busy_agent.json("/health/scheduler")
        priority = busy_agent.json("/health/priority")
        sums = delays(busy_agent.metrics())
        same = scheduler["ts"] == priority["ts"] == busy_agent.json("/health/scheduler")["ts"]
        return (scheduler, priority, sums) if same else None

    scheduler, priority, sums = wait_for(one_tick, "bodies of one tick")
    total = scheduler["run_queue_delay"]["total"]["count"]
    classes = {row["class"]: row for row in priority["classes"]}
    assert total == sum(row["total"]["count"] for row in classes.values()) == sums[float("inf")]
    assert classes["normal"]["total"]["count"] > PROCESSES
    assert classes["normal"]["switches_voluntary_total"] > PROCESSES
    assert classes["normal"]["on_cpu_seconds_total"] > 0


def test_quantiles_are_those_of_the_buckets(make_agent):
    """In an agent's first minute the recent waits are all that it has counted."""
    agent = make_agent(config={"overhead": {"budget_percent": 0}}).start()
    load(50)
    agent.next_tick()

    def one_tick():
        scheduler = agent.json("/health/scheduler")
        sums = delays(agent.metrics())
        same = scheduler["ts"] == agent.json("/health/scheduler")["ts"]
        return (scheduler["run_queue_delay"], sums) if same else None

    delay, sums = wait_for(one_tick, "bodies of one tick")
    recent = delay["recent"]
    assert recent["count"] == sums[float("inf")] > PROCESSES
    bounds = sorted(sums)
    for name, share in (("p50_seconds", 0.5), ("p95_seconds", 0.95), ("p99_seconds", 0.99)):
        index = next(i for i, bound in enumerate(bounds) if sums[bound] >= share * recent["count"])
        lower = bounds[index - 1] if index else 0
        assert lower <= recent[name] <= bounds[index], (name, recent, sums)
