"""CPU, memory, disk space and disk latency against someone else's figures of the same time: the
kernel's files as the test reads them, free, df, and fio's own clock. What others move meanwhile lies
between two readings, or the test has a disk and a filesystem of its own."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from alerting import firing
from conftest import Cgroup, cgroup2_mount, own_name, unhindered, wait_for, wait_until

MIB = 1 << 20
BUSY = "ulimit -t 60; while :; do :; done"  # ends by itself, should nobody end it
CPU_MODES = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"]


def cpu_seconds():
    ticks = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return dict(zip(CPU_MODES, (int(t) / os.sysconf("SC_CLK_TCK") for t in ticks)))


def meminfo():
    lines = Path("/proc/meminfo").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}


def resources(agent):
    return agent.json("/health/resources")


@pytest.fixture
def scratch():
    """A directory on a disk: /tmp may be memory."""
    directory = Path(tempfile.mkdtemp(prefix="moonwatch-", dir="/var/tmp"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def own_disk(scratch):
    """A block device that nobody else uses."""
    with open(scratch / "disk", "wb") as file:
        for _ in range(192):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    # Past the page cache: reads then take long enough to compare.
    attach = ["losetup", "--find", "--show", "--direct-io=on", str(scratch / "disk")]
    made = subprocess.run(attach, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device to be had: {made.stderr.strip()}")
    device = made.stdout.strip()
    yield device
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def own_filesystem(own_disk, tmp_path):
    """A filesystem that nobody else uses, mounted."""
    mount = tmp_path / "mount"
    mount.mkdir()
    subprocess.run(["mkfs.ext4", "-q", own_disk], check=True)
    subprocess.run(["mount", own_disk, str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@pytest.fixture
def spawn():
    processes = []

    def start(*arguments, **kwargs):
        processes.append(subprocess.Popen(arguments, **kwargs))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_cpu_counters_lie_between_two_readings(agent):
    before = cpu_seconds()
    agent.next_tick()
    samples = agent.metrics()
    after = cpu_seconds()
    for mode in CPU_MODES:
        value = samples[f'moonwatch_cpu_seconds_total{{mode="{mode}"}}']
        # iowait and idle may step back by a tick or two between readings.
        assert before[mode] - 0.05 <= value <= after[mode] + 0.05, mode


@pytest.mark.alone
def test_cpu_usage_under_load(agent, spawn):
    for _ in range(os.cpu_count()):
        spawn("sh", "-c", BUSY)
    agent.next_tick()
    shares, begin, seen = [], cpu_seconds(), agent.metric("moonwatch_ticks_total")
    while len(shares) < 5:
        wait_for(lambda: agent.metric("moonwatch_ticks_total") > seen, what="a tick")
        seen = agent.metric("moonwatch_ticks_total")
        shares.append(resources(agent)["cpu"]["usage_percent"])
    end = cpu_seconds()
    spent = {mode: end[mode] - begin[mode] for mode in CPU_MODES}
    truth = 100 * (1 - (spent["idle"] + spent["iowait"]) / sum(spent.values()))
    assert truth > 80, "the load did not load"
    assert sum(shares) / len(shares) == pytest.approx(truth, abs=10)


# Nobody waits for its children, one at a time, of 30 ms each on a CPU; it ends by itself too.
GHOSTS = """
import ctypes, os, resource, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
prctl = ctypes.CDLL(None).prctl
while True:
    child = os.fork()
    if child == 0:
        prctl(15, sys.argv[1].encode(), 0, 0, 0)
        while time.process_time() < 0.03:
            pass
        os.write(1, b".")
        os._exit(0)
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        pass
"""


def test_processes_that_nobody_waits_for_are_named(agent, cgroup2, tmp_path):
    name = own_name("ghost")
    ended = tmp_path / "ended"
    with ended.open("wb") as each_a_byte:
        ghosts = cgroup2.popen([sys.executable, "-S", "-c", GHOSTS, name], stdout=each_a_byte)
    try:
        def found():
            cpu = resources(agent)["cpu"]
            # They may have begun within the interval.
            rows = [row for row in cpu["short_processes"] if row["comm"] == name and row["processes_per_second"] >= 1]
            return (cpu, rows[0]) if rows else None

        cpu, row = wait_for(found, "its children among what burns CPU")
        assert row["cgroup"] == "/" + cgroup2.path.name
        # Each spends so much by its own clock, and what the kernel says of all of them, parent included.
        each = row["cpu_percent"] / 100 / row["processes_per_second"]
        spent = int(cgroup2.read("cpu.stat").split()[1]) / 1e6 / ended.stat().st_size
        assert 0.028 < each < 1.5 * spent, (each, spent)
        assert sum(r["cpu_percent"] for r in cpu["short_processes"]) <= 102 * os.cpu_count()
        own = [p for p in cpu["top"] if p["pid"] == ghosts.pid]
        assert not own or own[0]["short_children_cpu_percent"] == 0, own
    finally:
        ghosts.kill()
        ghosts.wait()


@pytest.fixture
def accounted_cgroup():
    """A cgroup whose CPU time the kernel counts, and how to read it in seconds."""
    v1, name = Path("/sys/fs/cgroup/cpuacct"), f"moonwatch-test-{os.getpid()}"
    if (v1 / "cpuacct.usage").exists():
        group = Cgroup(v1 / name)
        yield group, lambda: int(group.read("cpuacct.usage")) / 1e9
    elif (mount := cgroup2_mount()) is not None:
        group = Cgroup(mount / name)
        yield group, lambda: int(group.read("cpu.stat").split()[1]) / 1e6
    else:
        pytest.skip("no cgroup hierarchy that counts CPU time")
    group.remove()


def test_without_bpf_the_cgroup_is_named(accounted_cgroup, make_agent):
    group, used = accounted_cgroup
    began, busy = time.monotonic(), group.popen(["sh", "-c", BUSY])
    try:
        agent = make_agent(config={"overhead": {"probes": {"tasks": "off", "process": "off"}}}).start()

        def found():
            cpu = resources(agent)["cpu"]
            assert not cpu["top"] and not cpu["short_processes"], sorted(cpu)
            return next((row for row in cpu["cgroups"] or () if row["cgroup"] == "/" + group.path.name), None)

        row = wait_for(found, "the cgroup among those that burn CPU")
        # Of one loop, in about 5 s of which it had at most all that it used.
        assert 0 < row["cpu_percent"] <= min(105, 100 * used() / 4)
        assert used() <= 1.05 * (time.monotonic() - began)
    finally:
        busy.kill()
        busy.wait()


def test_cores_and_load(agent):
    cpu = resources(agent)["cpu"]
    online = [l for l in Path("/proc/stat").read_text().splitlines() if re.match(r"cpu\d", l)]
    assert [core["id"] for core in cpu["cores"]] == [int(l.split()[0][3:]) for l in online]
    before, seen = agent.metric("moonwatch_ticks_total"), set()

    def later():
        load = Path("/proc/loadavg").read_text().split()
        seen.add((float(load[0]), float(load[2])))
        samples = agent.metrics()
        return samples if samples["moonwatch_ticks_total"] >= before + 2 else None

    samples = wait_for(later, "two more ticks")
    load = Path("/proc/loadavg").read_text().split()
    seen.add((float(load[0]), float(load[2])))
    assert (round(samples["moonwatch_load1"], 2), round(samples["moonwatch_load15"], 2)) in seen


def assert_memory_agrees(agent):
    """At this instant, with the kernel and with free."""
    before = meminfo()
    agent.next_tick()
    memory = resources(agent)["memory"]
    after = meminfo()
    free = subprocess.run(["free", "-b"], capture_output=True, text=True, check=True).stdout
    total, _, _, _, _, available = (int(v) for v in free.splitlines()[1].split()[1:])
    slack = 64 * MIB  # others take and give within the two readings
    assert memory["total_bytes"] == total == after["MemTotal"]
    for ours, key in (("available_bytes", "MemAvailable"), ("free_bytes", "MemFree")):
        assert min(before[key], after[key]) - slack <= memory[ours] <= max(before[key], after[key]) + slack
    assert memory["usage_percent"] == pytest.approx(100 * (total - memory["available_bytes"]) / total, abs=0.1)
    assert abs(available - after["MemAvailable"]) < slack
    if after["SwapTotal"] == 0:
        assert memory["swap_usage_percent"] is None
        assert memory["swap_usage_percent_reason"] == "no swap"
    return memory


@pytest.mark.alone
def test_memory_under_load(agent, spawn):
    size = min(512 * MIB, meminfo()["MemAvailable"] // 4)
    idle = assert_memory_agrees(agent)
    hold = "import sys; b = bytearray(%d)\nfor i in range(0, len(b), 4096): b[i] = 1\n" % size
    holder = spawn(
        "/usr/bin/python3", "-c", hold + "print('held', flush=True); input()",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline().strip() == b"held"
    held = assert_memory_agrees(agent)
    assert idle["available_bytes"] - held["available_bytes"] > size / 2


def df(mount):
    columns = "size,used,avail,iused,itotal"
    out = subprocess.run(
        ["df", "-B1", f"--output={columns}", str(mount)], capture_output=True, text=True, check=True
    ).stdout
    return dict(zip(columns.split(","), out.splitlines()[1].split()))


@pytest.mark.alone
def test_disks_agree_with_df(agent):
    rows = resources(agent)["disk"]
    assert rows
    for row in rows:
        if row["usage_percent"] is None:
            continue
        truth = df(row["mount"])
        used, available = int(truth["used"]), int(truth["avail"])
        assert row["size_bytes"] == int(truth["size"]), row["mount"]
        assert row["available_bytes"] == pytest.approx(available, abs=256 * MIB), row["mount"]
        assert row["usage_percent"] == pytest.approx(100 * used / (used + available), abs=1)
        if row["inodes_total"] is not None:
            share = 100 * int(truth["iused"]) / int(truth["itotal"])
            assert row["inodes_usage_percent"] == pytest.approx(share, abs=1)
    mounts = [row["mount"] for row in rows]
    assert len(mounts) == len(set(mounts))
    for pseudo in ("/proc", "/sys", "/dev", "/dev/pts"):
        assert pseudo not in mounts


@pytest.mark.alone
def test_disk_usage_follows_a_large_file(agent, own_filesystem):
    def available():
        return {row["mount"]: row["available_bytes"] for row in resources(agent)["disk"]}.get(str(own_filesystem))

    before = wait_for(available, "the filesystem to show")
    assert before == int(df(own_filesystem)["avail"])
    size = 100 * MIB
    with open(own_filesystem / "large", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    wait_until(available, lambda bytes: size <= before - bytes < size + MIB, "the file to show")
    wait_until(available, lambda bytes: bytes == int(df(own_filesystem)["avail"]), "what df says")


def test_a_filesystem_that_an_error_made_read_only_is_an_outage(agent, own_disk, own_filesystem):
    """ext4 goes on showing `rw` (and `emergency_ro`, from 6.15 on) after an error: only a write tells."""
    inject = Path("/sys/fs/ext4") / Path(own_disk).name / "trigger_fs_error"
    if not inject.exists():
        pytest.skip("this kernel's ext4 makes no errors on request")
    subprocess.run(["mount", "-o", "remount,errors=remount-ro", str(own_filesystem)], check=True)

    def row():
        return {row["mount"]: row for row in resources(agent)["disk"]}.get(str(own_filesystem))

    assert wait_for(row, "the filesystem to show")["status"] == "healthy"
    inject.write_text("an error of the test")
    with pytest.raises(OSError):
        (own_filesystem / "file").write_text("x")
    wait_until(row, lambda row: row["status"] == "unhealthy", "the outage to show")
    assert row()["read_only"] is True
    wanted = f"{own_filesystem} is read-only after an error"
    assert any(wanted[-40:] in reason for reason in row()["reasons"])
    assert firing(agent, "HostFilesystem")["severity"] == "critical"


def latency_of(agent, device, op):
    """(count, sum in seconds, {upper bound: cumulative count}) of the block latency histogram."""
    samples = agent.metrics()
    labels = f'device="{device}",op="{op}"'
    buckets = {}
    for key, value in samples.items():
        if key.startswith("moonwatch_block_latency_seconds_bucket{" + labels):
            buckets[float(re.search(r'le="([^"]+)"', key).group(1))] = value
    name = "moonwatch_block_latency_seconds_"
    return samples.get(f"{name}count{{{labels}}}", 0), samples.get(f"{name}sum{{{labels}}}", 0), buckets


def bucket_of(before, after, share):
    """Bounds of the bucket in which that share of what came between lies."""
    delta = {le: after[le] - before.get(le, 0) for le in sorted(after)}
    lower = 0
    for le, count in delta.items():
        if count >= share * max(delta.values()):
            return lower, le
        lower = le
    return lower, float("inf")


def reads_of(device):
    for line in Path("/proc/diskstats").read_text().splitlines():
        if line.split()[2] == device:
            return int(line.split()[3])
    raise AssertionError(f"no {device} in /proc/diskstats")


@contextlib.contextmanager
def shielded_completions(device):
    """Yields a function: how many of the device's completions so far interrupted the init process. A kernel
    may run no program then, and counts no miss either (seen on a micro-VM); ftrace has them all."""
    instance = Path(f"/sys/kernel/tracing/instances/moonwatch-test-{os.getpid()}")
    event = instance / "events/block/block_rq_complete"
    node = os.stat(device).st_rdev

    def threads():
        return set(os.listdir("/proc/1/task"))

    def count():
        init = before | threads()
        interrupted = re.findall(r"-(\d+) .*: block_rq_complete:", (instance / "trace").read_text())
        return sum(thread in init for thread in interrupted)

    if instance.exists():  # of a run that was killed
        instance.rmdir()
    instance.mkdir()
    try:
        before = threads()
        (instance / "buffer_size_kb").write_text("8192")
        (event / "filter").write_text(f"dev == {os.major(node) << 20 | os.minor(node)}")
        (event / "enable").write_text("1")
        yield count
    finally:
        instance.rmdir()


@pytest.mark.alone
def test_disk_latency_against_fio(make_agent, own_disk):
    # No budget: a disk that is fast enough would have the program shed before fio is done.
    agent = make_agent(config={"overhead": {"budget_percent": 0}}).start()
    device = Path(own_disk).name
    agent.next_tick()
    reads_before = reads_of(device)
    count_before, sum_before, buckets_before = latency_of(agent, device, "read")
    fio = ["fio", "--name=truth", f"--filename={own_disk}", "--bs=256k", "--direct=1", "--ioengine=psync",
           "--rw=randread", "--output-format=json", "--runtime=3", "--time_based"]
    with shielded_completions(own_disk) as shielded:
        run = subprocess.run([*unhindered(), *fio], check=True, capture_output=True, text=True)
        unseen = shielded()
    agent.next_tick()
    count, total, buckets = latency_of(agent, device, "read")
    truth = json.loads(run.stdout[run.stdout.index("{"):])["jobs"][0]["read"]
    count, total, reads = count - count_before, total - sum_before, reads_of(device) - reads_before
    assert truth["total_ios"] <= reads
    assert reads - unseen <= count <= reads
    # fio's clock runs around the system call, ours from the driver's issue to its completion.
    mean = truth["clat_ns"]["mean"] / 1e9
    assert 0.5 * mean <= total / count <= 1.05 * mean
    for share, key in ((0.5, "50.000000"), (0.95, "95.000000"), (0.99, "99.000000")):
        lower, upper = bucket_of(buckets_before, buckets, share)
        percentile = truth["clat_ns"]["percentile"][key] / 1e9
        assert lower <= percentile, key
        assert upper >= 0.5 * percentile, key


def test_pressure_is_the_kernels(agent):
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("no pressure stall information here")
    before = int(re.search(r"some .*total=(\d+)", Path("/proc/pressure/cpu").read_text()).group(1))
    agent.next_tick()
    value = resources(agent)["pressure"]["cpu"]["some"]["seconds_total"]
    after = int(re.search(r"some .*total=(\d+)", Path("/proc/pressure/cpu").read_text()).group(1))
    assert before / 1e6 <= value + 1e-6 and value <= after / 1e6 + 1e-6


@pytest.fixture
def throttled_cgroup(spawn):
    """A busy loop in a cgroup that may use a hundredth of a CPU: less than its share of a busy one."""
    v1, v2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    name = f"moonwatch-test-{os.getpid()}"
    controllers = v2 / "cgroup.subtree_control"
    if (v1 / "cpu.cfs_quota_us").exists():
        group, quota, value = Cgroup(v1 / name), "cpu.cfs_quota_us", "1000"
    elif controllers.exists() and "cpu" in controllers.read_text().split():
        group, quota, value = Cgroup(v2 / name), "cpu.max", "1000 100000"
    else:
        pytest.skip("no cgroup hierarchy with the cpu controller to make a group in")
    group.write(quota, value)
    busy = spawn("sh", "-c", BUSY)
    group.write("cgroup.procs", busy.pid)
    yield group
    busy.kill()
    busy.wait()
    group.remove()


@pytest.mark.alone
def test_throttling_of_a_cgroup_with_a_quota(throttled_cgroup, agent):
    """The agent comes after the cgroup: it looks for new quotas only every half a minute."""

    def periods():
        stat = dict(line.split() for line in throttled_cgroup.read("cpu.stat").splitlines())
        return int(stat["nr_periods"]), int(stat["nr_throttled"])

    def row():
        rows = resources(agent)["cpu"]["throttled_cgroups"]
        return next((r for r in rows if r["cgroup"] == f"/{throttled_cgroup.path.name}"), None)

    wait_until(row, lambda shown: shown and (shown["throttled_percent"] or 0) > 50, "the throttled cgroup to show")
    before = periods()
    agent.next_tick()
    shown, after = row(), periods()
    assert before[0] <= shown["periods_total"] <= after[0]
    assert 0 < before[1] <= shown["throttled_periods_total"] <= after[1]
