"""What the agent leans on stops answering: whoever reads its log."""

import os
import pty
import signal
import socket
import subprocess
import termios

import pytest

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


@pytest.mark.parametrize("stderr", ["pipe"], indirect=True)
def test_a_start_that_fails_ends_though_nobody_reads_why(make_agent, stderr):
    agent = make_agent()
    agent.config_path.write_text("{")
    launch(agent, stderr)
    assert agent.process.wait(DEADLINE_SECONDS) == 2
