"""Fixtures: an agent of the test's own, on its own port, pins, runtime directory and configuration."""

import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from patience import DEADLINE_SECONDS
from traffic import Client, Server

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("MOONWATCH_BINARY", ROOT / "build" / "moonwatch"))


def pause():
    """Between two looks; never a wait for an effect."""
    select.select([], [], [], 0.02)


def wait_for(condition, what="condition"):
    """Returns the first true value of condition(); fails the test when none came in time."""
    return wait_until(condition, bool, what)


def wait_until(read, accept, what="figure"):
    """Returns the first value of read() that accept() takes. For a figure that follows its cause:
    awaiting its presence and asserting its value would read it too early on a busy machine."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        value = read()
        if accept(value):
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not met within {DEADLINE_SECONDS} s; the last value was {value!r}"[:2000])
        pause()


def in_kernel(kind):
    """{id: row} of every BPF program, link or map that bpftool lists. It ends early when a link of
    another agent is just being made (EAGAIN), so it is asked until a listing is whole."""

    def listed():
        return subprocess.run(["bpftool", "-j", kind, "list"], capture_output=True, text=True)

    whole = wait_until(listed, lambda run: run.returncode == 0, f"bpftool {kind} list")
    return {row["id"]: row for row in json.loads(whole.stdout)}


def own_name(word):
    """A process name that no other test run has: a comm of 15 bytes at most."""
    digits, number = "", os.getpid()
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    name = f"mw{digits}{word}"
    assert len(name) <= 15, f"{name} does not fit a comm"
    return name


def unhindered():
    """Words before a command whose own waits for a CPU would blur what it measures: whatever else runs
    here then holds it up little."""
    realtime = ["chrt", "--fifo", "1"]
    if subprocess.run([*realtime, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        return realtime
    return ["nice", "-n", "-15"]


class Agent:
    """A running `moonwatch run`; everything it leaves on the host is its own and is removed."""

    def __init__(self, directory, config=None, arguments=(), environment=None):
        self.directory = Path(directory)
        self.pins = f"/sys/fs/bpf/moonwatch-test-{secrets.token_hex(8)}"
        self.config = dict(config or {})
        server = {"listen": "127.0.0.1:0", "bpffs_directory": self.pins}
        self.config["server"] = {**server, **self.config.get("server", {})}
        # Whoever waits for ticks waits less.
        self.config["overhead"] = {"sample_interval_ms": 200, **self.config.get("overhead", {})}
        self.config_path = self.directory / "monitoring.json"
        self.write_config(self.config)
        self.command = [str(BINARY), "run", "--config", str(self.config_path), *arguments]
        self.environment = {
            **os.environ,
            "RUNTIME_DIRECTORY": str(self.directory / "run"),
            "STATE_DIRECTORY": str(self.directory / "state"),
            **(environment or {}),
        }
        self.process = None
        self.url = None
        self.lines = []
        self._changed = threading.Condition()

    def write_config(self, config):
        self.config_path.write_text(json.dumps(config))

    def start(self):
        earlier = len(self.lines)
        self.process = subprocess.Popen(
            self.command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=self.environment,
            text=True,
        )
        threading.Thread(target=self._read_log, args=(self.process,), daemon=True).start()
        started = self.wait_log(lambda e: e.get("msg") == "Agent started", skip=earlier)
        self.url = "http://" + started["listen"]
        return self

    def _read_log(self, process):
        for line in process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def events(self):
        """The log so far, parsed; a line that is not JSON is given as {"raw": line}."""
        with self._changed:
            lines = list(self.lines)
        out = []
        for line in lines:
            try:
                out.append(json.loads(line))
            except ValueError:
                out.append({"raw": line})
        return out

    def wait_log(self, match, skip=0):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            for event in self.events()[skip:]:
                if match(event):
                    return event
            if self.process.poll() is not None:
                pytest.fail(f"the agent ended with {self.process.returncode}: {self.lines}")
            left = deadline - time.monotonic()
            if left <= 0:
                pytest.fail(f"no such log line within {DEADLINE_SECONDS} s: {self.lines}")
            with self._changed:
                self._changed.wait(min(left, 0.2))

    def request(self, path, method="GET", headers=None, body=None, timeout=DEADLINE_SECONDS):
        """(status, headers, body as text); an error status is an answer, not an exception."""
        request = urllib.request.Request(self.url + path, method=method, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def text(self, path):
        status, _, body = self.request(path)
        assert status in (200, 503), (path, status, body)
        return body

    def json(self, path):
        return json.loads(self.text(path))

    def metrics(self):
        """{'name{labels}': value} as written in the exposition."""
        samples = {}
        for line in self.text("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def metric(self, name, **labels):
        """Sum of the samples of `name` that carry all of `labels`; None when there is none."""
        found = [
            value
            for key, value in self.metrics().items()
            if key.split("{")[0] == name and all(f'{k}="{v}"' in key for k, v in labels.items())
        ]
        return sum(found) if found else None

    def next_tick(self):
        """Waits until a snapshot was taken that began after this call."""
        before = self.metric("moonwatch_ticks_total")
        wait_for(lambda: self.metric("moonwatch_ticks_total") >= before + 2, what="two more ticks")

    def run_to_end(self, seconds=DEADLINE_SECONDS):
        """(exit code, the lines on stderr) of a start that must fail by itself."""
        run = subprocess.run(
            self.command, env=self.environment, capture_output=True, text=True, timeout=seconds
        )
        assert run.stdout == ""
        return run.returncode, run.stderr.splitlines()

    def held(self, kind):
        """Ids of the BPF objects ("prog", "link", "map") that the process holds open."""
        ids = set()
        for info in Path(f"/proc/{self.process.pid}/fdinfo").iterdir():
            try:
                lines = info.read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):  # opened for one tick only
                continue
            for line in lines:
                if line.startswith(f"{kind}_id:"):
                    ids.add(int(line.split()[1]))
        return ids

    def stop(self, how=signal.SIGTERM, seconds=DEADLINE_SECONDS):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(seconds)
        return self.process.returncode if self.process else None

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_SECONDS)
        shutil.rmtree(self.pins, ignore_errors=True)
        if os.path.isdir(self.pins):
            os.rmdir(self.pins)


def pytest_configure(config):
    # Ended early, tests put away what they made.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line(
        "markers", "alone: measures the host itself, so nothing else may run beside it"
    )


@pytest.fixture
def make_agent(tmp_path):
    """make_agent(config={...}, arguments=[...], environment={...}): not yet started."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the agent loads BPF programs")
    agents = []

    def make(config=None, arguments=(), environment=None):
        directory = tmp_path / f"agent{len(agents)}"
        directory.mkdir()
        agents.append(Agent(directory, config, arguments, environment))
        return agents[-1]

    yield make
    for agent in agents:
        agent.close()


@pytest.fixture
def agent(make_agent):
    """A running agent with the default configuration, but without a budget: on a busy machine it would
    shed the programs that the tests look at."""
    return make_agent(config={"overhead": {"budget_percent": 0}}).start()


def cgroup2_mount():
    for line in Path("/proc/mounts").read_text(errors="replace").splitlines():
        _, mount, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(mount)
    return None


class Cgroup:
    """A cgroup of the test's own; run() starts a program inside it."""

    def __init__(self, path):
        self.path = Path(path)
        if self.path.exists():  # of a run that was killed, with the same pid
            self.path.rmdir()
        self.path.mkdir()

    def write(self, name, value):
        (self.path / name).write_text(str(value))

    def read(self, name):
        return (self.path / name).read_text()

    def popen(self, arguments, **kwargs):
        procs = str(self.path / "cgroup.procs")

        def enter():
            with open(procs, "w") as file:
                file.write(str(os.getpid()))

        return subprocess.Popen(arguments, preexec_fn=enter, **kwargs)

    def remove(self):
        for pid in self.read("cgroup.procs").split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(lambda: not self.read("cgroup.procs").split(), what="an empty cgroup")
        self.path.rmdir()


@pytest.fixture
def cgroup2():
    """A cgroup v2 directory of the test's own."""
    mount = cgroup2_mount()
    if mount is None:
        pytest.skip("no cgroup v2 mount on this host")
    group = Cgroup(mount / f"moonwatch-test-{os.getpid()}")
    yield group
    group.remove()


@pytest.fixture
def memory_cgroup():
    """A cgroup with a memory controller (v1 or v2) of the test's own; set_limit(bytes)."""
    v1 = Path("/sys/fs/cgroup/memory")
    mount = cgroup2_mount()
    if (v1 / "memory.limit_in_bytes").exists():
        group, key = Cgroup(v1 / f"moonwatch-test-{os.getpid()}"), "memory.limit_in_bytes"
    elif mount and "memory" in (mount / "cgroup.subtree_control").read_text():
        group, key = Cgroup(mount / f"moonwatch-memory-{os.getpid()}"), "memory.max"
    else:
        pytest.skip("no memory controller that can be given to a test's cgroup")
    group.set_limit = lambda size: group.write(key, size)
    yield group
    group.remove()


@pytest.fixture
def server():
    """Fails as it is told; on loopback."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def client(cgroup2):
    """In the cgroup of the test."""
    client = Client(cgroup2)
    yield client
    client.close()
