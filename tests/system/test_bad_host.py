"""An agent on a host that lacks something: privileges, BTF, bpffs, tracefs, /proc. It serves what it can,
null with a reason for the rest, and says what is missing once."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from alerting import ALWAYS, receiver, told_at_once, with_rules
from conftest import BINARY, DEADLINE_SECONDS, wait_for
from test_http import check_unknowns, openapi, validator

# How families begin that only BPF programs can fill.
OF_PROGRAMS = [
    "run_queue_delay", "on_cpu", "blocked_seconds", "process_forks", "process_exits", "block_latency",
    "tcp_connect", "tcp_retransmits", "reclaim_stall", "oom_victims",
]
WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def enclosed(agent, prepare):
    """Starts the agent in a mount namespace of its own, after `prepare` has changed it."""
    script = f'{prepare} && exec "$0" "$@"'
    agent.command = ["unshare", "--mount", "sh", "-e", "-c", script, *agent.command]
    return agent.start()


def inside(agent, *command):
    prefix = ["nsenter", "--target", str(agent.process.pid), "--mount"]
    return subprocess.run([*prefix, *command], capture_output=True, text=True, timeout=DEADLINE_SECONDS)


def not_attached(agent):
    return [e for e in agent.events() if e.get("msg") == "BPF programs not attached"]


def started(agent):
    return agent.wait_log(lambda e: e.get("msg") == "Agent started")


def assert_serves_without_bpf(agent, reason):
    """Everything the kernel's files tell is there, of the rest nothing is, not even a zero."""
    assert started(agent)["programs_attached"] == 0
    assert len(not_attached(agent)) == 1
    line = not_attached(agent)[0]
    assert reason in line["reason"] and line["level"] == "WARNING"
    assert {"runq_switch", "tasks"} <= set(line["programs"].split(", "))
    agent.next_tick()
    for path in ("/health", "/health/resources", "/health/scheduler", "/health/priority"):
        check_unknowns(agent.json(path), path)
    assert {row["state"] for row in agent.json("/health")["probes"]} == {"unsupported"}
    scheduler = agent.json("/health/scheduler")
    assert reason in agent.text("/health/scheduler")
    assert scheduler["cgroups"] in (None, [])
    assert agent.json("/health/resources")["memory"]["total_bytes"] > 0
    samples = agent.metrics()
    for name in OF_PROGRAMS:
        assert not [key for key in samples if key.startswith(f"moonwatch_{name}")], name
    assert samples["moonwatch_memory_total_bytes"] > 0
    assert agent.stop() == 0


def public_binary():
    """A copy that everybody may run: the build may be in somebody's home."""
    directory = Path(tempfile.mkdtemp(prefix="moonwatch-", dir="/tmp"))
    directory.chmod(0o755)
    shutil.copy(BINARY, directory / "moonwatch")
    return directory


@pytest.fixture
def as_nobody():
    directory = public_binary()
    (directory / "run").mkdir()
    os.chown(directory / "run", 65534, 65534)
    yield ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], directory
    shutil.rmtree(directory)


def test_not_root(make_agent, as_nobody):
    prefix, directory = as_nobody
    agent = make_agent(environment={"RUNTIME_DIRECTORY": str(directory / "run")})
    listen = ["--listen", "127.0.0.1:0"]
    agent.command = [*prefix, str(directory / "moonwatch"), "run", *listen]
    agent.start()
    assert_serves_without_bpf(agent, "CAP_BPF is missing (run as root or grant CAP_BPF and CAP_PERFMON)")


def test_capabilities_dropped(make_agent):
    agent = make_agent()
    agent.command = [*WITHOUT_CAPABILITIES, *agent.command]
    agent.start()
    assert_serves_without_bpf(agent, "CAP_BPF is missing")


def test_one_capability_missing(make_agent):
    """CAP_BPF alone loads maps, not tracing programs."""
    agent = make_agent()
    keep = ["setpriv", "--bounding-set=-all,+bpf", "--inh-caps=-all"]
    agent.command = [*keep, *agent.command]
    agent.start()
    assert_serves_without_bpf(agent, "CAP_PERFMON is missing (run as root or grant")


def test_no_btf(make_agent):
    agent = enclosed(make_agent(), "mount -t tmpfs tmpfs /sys/kernel/btf")
    doctor = inside(agent, str(BINARY), "doctor")
    assert doctor.returncode == 1
    btf = [line for line in doctor.stdout.splitlines() if line.startswith("btf ")]
    assert " no " in btf[0] and "CONFIG_DEBUG_INFO_BTF" in btf[0]
    assert_serves_without_bpf(agent, "no kernel BTF at /sys/kernel/btf/vmlinux")


def test_bpffs_is_mounted_where_it_is_missing(make_agent):
    agent = enclosed(make_agent(), "umount -l /sys/fs/bpf && ! mountpoint -q /sys/fs/bpf")
    assert started(agent)["programs_attached"] > 0
    assert inside(agent, "stat", "-f", "-c", "%T", "/sys/fs/bpf").stdout.strip() == "bpf_fs"
    assert "events" in inside(agent, "ls", agent.pins).stdout.split()
    assert not os.path.exists(agent.pins), "the mount is the agent's namespace's own"
    assert agent.stop() == 0


def test_a_pin_directory_that_is_on_no_bpffs(make_agent, tmp_path):
    """It says so and goes on: pins are for people who look."""
    directory = tmp_path / "pins"
    agent = make_agent(config={"server": {"bpffs_directory": str(directory)}}).start()
    assert started(agent)["programs_attached"] > 0
    said = [e for e in agent.events() if e.get("msg", "").startswith("Maps not pinned")]
    assert len(said) == 1 and said[0]["reason"] == f"{tmp_path} is not on a bpffs"
    assert not directory.exists()
    agent.next_tick()
    assert agent.json("/health/scheduler")["cgroups"]
    assert agent.stop() == 0


def test_no_tracefs(make_agent):
    """No probe needs it."""
    without = "{ umount -l /sys/kernel/tracing || true; umount -l /sys/kernel/debug || true; } 2>/dev/null"
    whole = make_agent().start()
    agent = enclosed(make_agent(), without)
    assert inside(agent, "stat", "-f", "-c", "%T", "/sys/kernel/tracing").stdout.strip() != "tracefs"
    assert started(agent)["programs_attached"] == started(whole)["programs_attached"] > 0


def assert_serves_with_unknowns(agent):
    for path in ("/health", "/health/resources", "/health/scheduler", "/health/priority"):
        assert agent.request(path)[0] in (200, 503), path
        check_unknowns(agent.json(path), path)


def test_proc_hidden(make_agent):
    agent = enclosed(make_agent(), "mount -t tmpfs tmpfs /proc")
    wait_for(lambda: agent.request("/health/resources")[0] == 200, what="a sample")
    assert_serves_with_unknowns(agent)
    resources = agent.json("/health/resources")
    assert resources["cpu"]["usage_percent"] is None
    assert "/proc/stat" in resources["cpu"]["usage_percent_reason"]
    assert resources["memory"]["usage_percent"] is None
    assert "/proc/meminfo" in resources["memory"]["usage_percent_reason"]
    # Whatever else the host is said to be.
    health = agent.json("/health")
    for part in (health, health["components"]["resources"]):
        assert part["status"] in ("unknown", "degraded", "unhealthy")
    for what in ("cpu: /proc/stat", "memory: /proc/meminfo", "disk: /proc/self/mountinfo"):
        assert any(f"no reading of {what}" in r for r in health["components"]["resources"]["reasons"]), what
    samples = agent.metrics()
    for name in ("cpu_seconds_total", "memory_total_bytes", "memory_usage_ratio", "filesystem_size_bytes"):
        assert not [key for key in samples if key.split("{")[0] == f"moonwatch_{name}"], name
    assert agent.stop(signal.SIGTERM) == 0


TRUNCATED = {
    "meminfo": (b"MemTotal:  1000 kB\nMemFr", lambda r: r["memory"]["usage_percent"]),
    "stat": (b"cpu  1 2", lambda r: r["cpu"]["usage_percent"]),
    "self/mountinfo": (b"22 1 0:21 / /pr", lambda r: r["disk"] or None),
}


@pytest.mark.parametrize("name", TRUNCATED)
@pytest.mark.parametrize("content", ["cut", "empty"])
def test_a_proc_file_cut_short(make_agent, tmp_path, name, content):
    cut, figure = TRUNCATED[name]
    file = tmp_path / "cut"
    file.write_bytes(cut if content == "cut" else b"")
    where = f"/proc/{name}" if "self" not in name else "/proc/$$/mountinfo"
    agent = enclosed(make_agent(), f"mount --bind {file} {where}")
    wait_for(lambda: agent.request("/health/resources")[0] == 200, what="a sample")
    agent.next_tick()
    assert_serves_with_unknowns(agent)
    assert figure(agent.json("/health/resources")) is None
    assert agent.stop() == 0


def test_a_file_that_becomes_unreadable(make_agent, tmp_path):
    """What was known of it stands beside the reason, and is marked as old."""
    began = time.monotonic()
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 4000 kB\nMemFree: 500 kB\nMemAvailable: 1000 kB\n")
    agent = enclosed(make_agent(), f"mount --bind {meminfo} /proc/meminfo")
    started(agent)
    agent.url = "http://" + started(agent)["listen"]
    wait_for(lambda: agent.request("/health/resources")[0] == 200, what="a first sample")
    memory = agent.json("/health/resources")["memory"]
    assert memory["usage_percent"] == 75 and "usage_percent_stale" not in memory
    meminfo.write_text("")
    wait_for(lambda: agent.json("/health/resources")["memory"]["usage_percent"] is None, what="the loss")
    agent.next_tick()
    body = agent.json("/health/resources")
    memory = body["memory"]
    assert "meminfo" in memory["usage_percent_reason"]
    assert memory["usage_percent_stale"]["value"] == 75
    assert 0 < memory["usage_percent_stale"]["age_seconds"] < time.monotonic() - began
    assert memory["total_bytes_stale"]["value"] == 4000 * 1024
    # Never as if it were fresh.
    assert agent.metric("moonwatch_memory_usage_ratio") is None
    document = openapi(agent)
    path = document["paths"]["/health/resources"]["get"]["responses"]["200"]
    errors = list(validator(document, path["content"]["application/json"]["schema"]).iter_errors(body))
    assert not errors, [f"{e.json_path}: {e.message[:300]}" for e in errors[:5]]
    check_unknowns(body, "/health/resources")


def limited(agent, soft, hard):
    agent.command = ["prlimit", f"--nofile={soft}:{hard}", *agent.command]
    return agent


def low_limit(agent):
    return [e for e in agent.events() if e.get("msg") == "The limit of open files is low"]


def test_the_limit_of_open_files_is_raised(make_agent):
    agent = limited(make_agent(), 64, 4096).start()
    assert resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE) == (4096, 4096)
    assert not not_attached(agent) and not low_limit(agent)


@pytest.mark.parametrize("limit", [64, 200])
def test_few_open_files(make_agent, receiver, limit):
    """Clients, checks and notifications have their share, the programs what is left."""
    check = {"type": "http", "url": receiver.url, "interval": 1, "timeout": 1, "expect": {"status": 501}}
    config = with_rules(ALWAYS, **told_at_once(receiver))
    config["services"] = [{"name": "web", "kind": "http", "match": {"comm": "nobody"}, "check": check}]
    config["server"] = {"idle_timeout": 600}
    agent = limited(make_agent(config=config), limit, limit).start()
    (line,) = wait_for(lambda: low_limit(agent), what="the line about the limit")
    assert line["limit"] == limit and line["needed"] == 512 and 4 <= line["connections"] < limit
    assert "LimitNOFILE" in line["mend"]
    for event in not_attached(agent) if limit == 64 else []:
        assert "Too many open files" in event["reason"]
    peers = [socket.create_connection(agent.url.removeprefix("http://").split(":")) for _ in range(limit)]
    assert agent.request("/health")[0] in (200, 503)
    wait_for(lambda: receiver.of("firing"), what="a notification")
    wait_for(lambda: agent.metric("moonwatch_endpoint_checks_total") > agent.metric("moonwatch_endpoint_checks_failed_total"), what="a check's result")
    agent.next_tick()
    for peer in peers:
        peer.close()
    assert agent.json("/health/resources")["memory"]["total_bytes"] > 0


def test_a_runtime_directory_that_cannot_be_written(make_agent):
    agent = make_agent(environment={"RUNTIME_DIRECTORY": "/proc/none"}).start()
    said = agent.wait_log(lambda e: "local token" in str(e.get("msg")))
    assert said["level"] == "WARNING"
    assert "/proc/none/admin.token cannot be written" in said["reason"] and "RUNTIME_DIRECTORY" in said["mend"]


def test_a_time_zone_that_nobody_writes(make_agent, tmp_path):
    os.mkfifo(tmp_path / "zone")
    agent = make_agent(environment={"TZ": f":{tmp_path / 'zone'}"}).start()
    assert agent.json("/health")["status"]
    assert agent.events()[0]["ts"].endswith("+00:00")


def test_files_that_may_not_grow(make_agent, receiver):
    agent = make_agent(config=with_rules(ALWAYS, **told_at_once(receiver)))
    agent.command = ["prlimit", "--fsize=0", *agent.command]
    agent.start()
    wait_for(lambda: receiver.of("firing"), what="what cannot be kept")
    for message in ("The alerts cannot be saved", "Notifications are sent without being kept on the disk first"):
        agent.wait_log(lambda e, message=message: e.get("msg") == message)
    assert agent.stop() == 0


def test_too_few_open_files(make_agent):
    code, errors = limited(make_agent(), 40, 40).run_to_end()
    assert code == 1 and len(errors) == 1
    assert "open files is 40" in errors[0] and "LimitNOFILE" in errors[0]


def test_too_little_memory_for_a_thread(make_agent):
    agent = make_agent()
    agent.command = ["prlimit", f"--data={8 << 20}", f"--stack={8 << 20}", *agent.command]
    code, errors = agent.run_to_end()
    assert code == 1 and len(errors) == 1
    assert "moonwatch: the log and the loop: " in errors[0] and "LimitDATA=" in errors[0]


def test_nobody_can_be_accepted(make_agent):
    """The host runs out of files: no client is served meanwhile, all else goes on, without haste."""
    agent = make_agent().start()
    agent.next_tick()
    pid, before = agent.process.pid, agent.metric("moonwatch_loop_iterations_total")
    wait_for(lambda: agent.metric("moonwatch_http_connections") == 1, what="other connections to be closed")
    started_at = time.monotonic()
    # What is open stays so; no more can be, whatever is closed meanwhile.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 4096))
    host, port = agent.url.removeprefix("http://").split(":")
    with socket.create_connection((host, port), timeout=DEADLINE_SECONDS) as peer:
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: time.monotonic() > started_at + 2, what="two seconds of it")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4096, 4096))
        assert peer.recv(65536).startswith(b"HTTP/1.1 ")
    assert agent.metric("moonwatch_http_accept_pauses_total") > 0
    seconds = time.monotonic() - started_at
    assert agent.metric("moonwatch_loop_iterations_total") - before < 200 * (1 + seconds)
