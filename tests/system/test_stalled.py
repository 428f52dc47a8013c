"""What the agent leans on stops answering: whoever reads its log, its supervisor, the disk of its state."""

import os
import pty
import signal
import socket
import subprocess
import sys
import termios

import pytest

from alerting import ALWAYS, receiver, told_at_once, with_rules
from conftest import DEADLINE_SECONDS, wait_for, wait_until
from traffic import free_port

FILLER = b"x" * 4096 + b"\n"


class Stderr:
    """The agent's end `agent_fd` takes no byte more until resume()."""

    def __init__(self, kind):
        if kind == "pipe":
            self.fd, self.agent_fd = os.pipe()
        elif kind == "socket":  # as journald gives it
            self.ends = socket.socketpair()
            self.fd, self.agent_fd = (end.detach() for end in self.ends)
        else:
            self.fd, self.agent_fd = pty.openpty()
            termios.tcflow(self.agent_fd, termios.TCOOFF)  # as by Ctrl-S
        self.kind = kind
        self.fill()

    def fill(self):
        if self.kind == "terminal":
            return
        os.set_blocking(self.agent_fd, False)
        for size in (len(FILLER), 1):
            try:
                while True:
                    os.write(self.agent_fd, FILLER[-size:])
            except BlockingIOError:
                pass
        os.set_blocking(self.agent_fd, True)

    def resume(self):
        if self.kind == "terminal":
            termios.tcflow(self.agent_fd, termios.TCOON)

    def read_until(self, wanted):
        text = b""
        while wanted not in text:
            text += os.read(self.fd, 65536)
        return text

    def close(self):
        os.close(self.fd)
        os.close(self.agent_fd)


@pytest.fixture
def stderr(request):
    stderr = Stderr(request.param)
    yield stderr
    stderr.resume()
    stderr.close()


def launch(agent, stderr):
    agent.process = subprocess.Popen(
        agent.command, env=agent.environment, stderr=stderr.agent_fd, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )


def answers(agent):
    try:
        return agent.request("/health")[0] in (200, 503)
    except OSError:
        return False


@pytest.mark.parametrize("stderr", ["pipe", "socket", "terminal"], indirect=True)
def test_an_agent_whose_log_nobody_reads(make_agent, stderr):
    """It starts, serves, ticks, reloads, says so once it is read again, and ends."""
    port = free_port()
    agent = make_agent(arguments=["--listen", f"127.0.0.1:{port}"])
    agent.url = f"http://127.0.0.1:{port}"
    launch(agent, stderr)
    wait_for(lambda: answers(agent), what="an answer")
    agent.next_tick()
    waits = agent.metric("moonwatch_log_queued_bytes")
    assert waits > 0
    agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: agent.metric("moonwatch_log_queued_bytes"), lambda n: n > waits, what="another line")
    agent.next_tick()
    stderr.resume()
    text = stderr.read_until(b"Configuration reloaded")
    assert b"Agent started" in text
    wait_until(lambda: agent.metric("moonwatch_log_queued_bytes"), lambda n: n == 0, what="no line that waits")
    assert agent.metric("moonwatch_log_lines_dropped_total") == 0
    stderr.fill()
    if stderr.kind == "terminal":
        termios.tcflow(stderr.agent_fd, termios.TCOOFF)
    assert agent.stop() == 0


def test_a_supervisor_that_reads_nothing(make_agent, tmp_path):
    """As a service manager that has crashed; once it reads, it hears what it was not told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    other.sendto(b"FILLER=1", str(tmp_path / "notify"))
        agent = make_agent(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}).start()
        agent.next_tick()
        manager.settimeout(DEADLINE_SECONDS)
        while manager.recv(4096) != b"READY=1":
            pass
        while manager.recv(4096) != b"WATCHDOG=1":
            pass
        assert agent.stop() == 0


@pytest.mark.parametrize("stderr", ["pipe"], indirect=True)
def test_a_start_that_fails_ends_though_nobody_reads_why(make_agent, stderr):
    agent = make_agent()
    agent.config_path.write_text("{")
    launch(agent, stderr)
    assert agent.process.wait(DEADLINE_SECONDS) == 2


# A file system whose server never answers, on argv[1], for each line read: as a network's that is gone.
HANG = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for line in sys.stdin:
    if line == "hang\\n":
        fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"hung", sys.argv[1].encode(), b"fuse", 0, options):
            sys.exit(os.strerror(ctypes.get_errno()))
    else:
        os.close(fd)
        libc.umount2(sys.argv[1].encode(), 2)
    print(flush=True)
"""


class Disk:
    """The state directory, in a mount namespace that agents enter."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.holder = subprocess.Popen(
            ["unshare", "--mount", sys.executable, "-c", HANG, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )

    def say(self, word):
        self.holder.stdin.write(word + "\n")
        self.holder.stdin.flush()
        assert self.holder.stdout.readline() == "\n"

    def hold(self, agent):
        enter = ["nsenter", "--target", str(self.holder.pid), "--mount"]
        agent.command = [*enter, *agent.command]
        agent.environment["STATE_DIRECTORY"] = str(self.path)
        return agent

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(DEADLINE_SECONDS)


@pytest.fixture
def disk(tmp_path):
    if not os.path.exists("/dev/fuse"):
        pytest.skip("no /dev/fuse to make a disk that hangs")
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


def test_a_state_directory_that_hangs_from_the_start(make_agent, receiver, disk):
    """It starts without the state, serves, pages, and what it could not read is there afterwards."""
    (disk.path / "alerts.json").write_text("{}")
    disk.say("hang")
    agent = disk.hold(make_agent(config=with_rules(ALWAYS, **told_at_once(receiver)))).start()
    unread = [e for e in agent.events() if "cannot be read" in e.get("msg", "")]
    assert [e["error"] for e in unread] == ["its disk does not answer"]
    agent.next_tick()
    wait_for(lambda: receiver.of("firing"), what="a page that no disk keeps")
    agent.wait_log(lambda e: e.get("msg") == "The alerts cannot be saved")
    assert agent.metric("moonwatch_outbox_not_durable_total") > 0
    disk.say("answer")
    wait_for((disk.path / "alerts.json.unread").exists, what="what could not be read")
    assert (disk.path / "alerts.json.unread").read_text() == "{}"
    wait_for(lambda: not (disk.path / "alerts.json").exists(), what="the state elsewhere")
    assert agent.stop() == 0


def test_a_state_directory_that_hangs_at_the_end(make_agent, disk):
    agent = disk.hold(make_agent(config=with_rules(ALWAYS))).start()
    agent.next_tick()
    disk.say("hang")
    agent.next_tick()
    assert agent.stop() == 0
