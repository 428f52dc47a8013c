"""An agent's life: started, refused, taken over, killed, supervised; what it leaves behind, by bpftool."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from conftest import BINARY, DEADLINE_SECONDS, in_kernel, wait_for
from traffic import free_port


def owned(agent):
    """Its programs, links and maps, all of which bpftool knows."""
    ids = {kind: agent.held(kind) for kind in ("prog", "link", "map")}
    for kind, found in ids.items():
        assert found and found <= in_kernel(kind).keys(), kind
    return ids


def pinned(agent, verb, name):
    """What bpftool says of a map by its pin."""
    command = ["bpftool", "-j", "map", verb, "pinned", f"{agent.pins}/{name}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def assert_gone(ids):
    for kind, found in ids.items():
        wait_for(lambda: not found & in_kernel(kind).keys(), f"no {kind} of {found} in the kernel")


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_agent_leaves_nothing(agent, signo):
    ids = owned(agent)
    assert len(ids["link"]) >= 5
    assert os.path.isdir(agent.pins)
    assert agent.stop(signo) == 0
    assert_gone(ids)
    assert not os.path.exists(agent.pins)
    assert not (agent.directory / "run" / "admin.token").exists()
    assert agent.events()[-1]["msg"] == "Stopping"


def test_a_killed_agent_leaves_no_probe_and_is_taken_over(make_agent):
    killed = make_agent().start()
    ids = owned(killed)
    killed.stop(signal.SIGKILL)
    assert_gone({kind: ids[kind] for kind in ("prog", "link")})
    left = os.listdir(killed.pins)
    assert "events" in left
    old = pinned(killed, "show", "events")["id"]
    after = make_agent(config={"server": {"bpffs_directory": killed.pins}}).start()
    assert after.request("/health")[0] in (200, 503)
    said = after.wait_log(lambda e: e.get("msg", "").startswith("Took over"))
    assert said["pins"] == len(left) and said["pin_directory"] == killed.pins
    # The maps left are replaced, not read: what is in them was counted before the gap.
    assert old not in after.held("map")
    assert_gone({"map": ids["map"]})
    assert after.stop() == 0
    assert not os.path.exists(killed.pins)


def test_a_second_agent_is_refused(make_agent):
    first = make_agent().start()
    ids = owned(first)
    second = make_agent(config={"server": {"bpffs_directory": first.pins}})
    code, lines = second.run_to_end()
    assert code == 1
    assert len(lines) == 1
    assert f"another moonwatch agent (pid {first.process.pid}) holds {first.pins}" in lines[0]
    assert owned(first) == ids
    assert "events" in os.listdir(first.pins)
    first.next_tick()


def test_pins_that_are_removed_are_said_and_made_again(make_agent):
    agent = make_agent().start()
    agent.next_tick()
    pins = sorted(os.listdir(agent.pins))
    shutil.rmtree(agent.pins)
    # Whether it comes before or after they are made again.
    code, lines = make_agent(config={"server": {"bpffs_directory": agent.pins}}).run_to_end()
    assert code == 1 and f"another moonwatch agent (pid {agent.process.pid}) holds {agent.pins}" in lines[0]
    lost = agent.wait_log(lambda e: e.get("msg") == "Pins are lost")
    made = agent.wait_log(lambda e: e.get("msg") == "Pins are made again")
    assert lost["level"] == made["level"] == "WARNING"
    assert agent.pins in lost["reason"] and agent.pins in made["reason"]
    assert sorted(os.listdir(agent.pins)) == pins
    assert agent.stop() == 0
    assert not os.path.exists(agent.pins)


def test_maps_read_like_a_report(agent):
    """What is pinned can be dumped by bpftool, with the names of the fields."""
    agent.next_tick()
    names = os.listdir(agent.pins)
    assert all(len(name) <= 15 for name in names)
    dumped = 0
    for name in names:
        if pinned(agent, "show", name)["type"] in ("ringbuf", "task_storage", "sk_storage"):
            continue  # nobody can dump these
        # An entry that was deleted meanwhile has an error in place of its value.
        rows = [row for row in pinned(agent, "dump", name) if "error" not in row.get("value", ())]
        assert all("formatted" in row for row in rows), name
        dumped += len(rows) > 0
    assert dumped >= 5


class Supervisor:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.seen = []

    def wait(self, wanted):
        """Reads on until a message holds the line `wanted`; returns the messages before it."""
        self.socket.settimeout(DEADLINE_SECONDS)
        before = []
        while True:
            message = self.socket.recv(4096).decode().splitlines()
            if wanted in [line.split("=")[0] + "=" + line.split("=")[1] for line in message]:
                self.seen = message
                return before
            before += message


@pytest.fixture
def supervisor(tmp_path):
    supervisor = Supervisor(tmp_path / "notify")
    yield supervisor
    supervisor.socket.close()


def test_it_tells_systemd(make_agent, supervisor):
    agent = make_agent(environment={"NOTIFY_SOCKET": supervisor.path}).start()
    before = supervisor.wait("READY=1")
    # The first tick is complete when it says so, and it serves.
    assert set(before) <= {"WATCHDOG=1"}
    assert agent.request("/health")[0] in (200, 503)
    for _ in range(3):
        supervisor.wait("WATCHDOG=1")
    agent.process.send_signal(signal.SIGHUP)
    supervisor.wait("RELOADING=1")
    stamp = [line for line in supervisor.seen if line.startswith("MONOTONIC_USEC=")]
    assert int(stamp[0].split("=")[1]) > 0
    supervisor.wait("READY=1")
    agent.process.send_signal(signal.SIGTERM)
    supervisor.wait("STOPPING=1")
    assert agent.process.wait(DEADLINE_SECONDS) == 0


def test_a_stopped_process_does_not_feed_the_watchdog(make_agent, supervisor):
    agent = make_agent(environment={"NOTIFY_SOCKET": supervisor.path}).start()
    supervisor.wait("READY=1")
    agent.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: stopped(agent.process.pid), what="the process to stop")
    supervisor.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            supervisor.socket.recv(4096)
    supervisor.socket.settimeout(3)
    with pytest.raises(TimeoutError):
        supervisor.socket.recv(4096)
    agent.process.send_signal(signal.SIGCONT)
    supervisor.wait("WATCHDOG=1")


def stopped(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"


def test_a_signal_during_the_start_is_not_lost(make_agent, supervisor):
    """SIGHUP would end a process that has not taken it yet."""
    agent = make_agent(environment={"NOTIFY_SOCKET": supervisor.path})
    agent.process = subprocess.Popen(
        agent.command, env=agent.environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    wait_for(lambda: os.path.isdir(agent.pins), "the agent to load its programs")
    agent.process.send_signal(signal.SIGHUP)
    supervisor.wait("READY=1")
    supervisor.wait("RELOADING=1")
    supervisor.wait("READY=1")
    assert agent.stop() == 0


def test_listen_on_the_command_line(make_agent):
    port = free_port()
    agent = make_agent(arguments=["--listen", f"127.0.0.1:{port}"]).start()
    assert agent.url == f"http://127.0.0.1:{port}"
    # It stands above the file after a reload too.
    seen = len(agent.events())
    agent.process.send_signal(signal.SIGHUP)
    agent.wait_log(lambda e: e.get("msg") == "Configuration reloaded", skip=seen)
    assert not [e for e in agent.events() if e.get("pointer") == "/server/listen"]
    assert agent.request("/health")[0] in (200, 503)


def test_without_any_file(make_agent):
    """With nothing given: built-in defaults, in namespaces where port, pins and /run are its own."""
    if os.path.exists("/etc/moonwatch/monitoring.json"):
        pytest.skip("/etc/moonwatch/monitoring.json exists")
    agent = make_agent()
    for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "MOONWATCH_CONFIG"):
        agent.environment.pop(name, None)
    prepare = "ip link set lo up && mount -t bpf bpf /sys/fs/bpf && mount -t tmpfs tmpfs /run"
    script = f'{prepare} && exec "$0" run'
    agent.command = ["unshare", "--mount", "--net", "sh", "-c", script, str(BINARY)]
    agent.start()
    assert agent.url == "http://127.0.0.1:8000"
    inside = ["nsenter", "--target", str(agent.process.pid), "--mount", "--net"]

    def run(*command):
        return subprocess.run([*inside, *command], check=True, capture_output=True, text=True).stdout

    statuses = {"healthy", "degraded", "unhealthy", "unknown"}
    assert json.loads(run("curl", "-s", agent.url + "/health"))["status"] in statuses
    assert "events" in run("ls", "/sys/fs/bpf/moonwatch").split()
    mode = run("stat", "-c", "%a %s", "/run/moonwatch/admin.token").split()
    assert int(mode[0], 8) == stat.S_IRUSR | stat.S_IWUSR and int(mode[1]) > 16
    assert statuses & set(run(str(BINARY), "status").split())
    assert agent.stop() == 0
