"""Where the shapes run: a network namespace of the clients and the agent, with a loopback of its own, and one
of servers elsewhere, joined by TUN pairs (tun_delay.c), one of which holds packets back."""

import ctypes
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conftest import BINARY, DEADLINE_SECONDS, Agent, Cgroup, cgroup2_mount, wait_for

# Place: (round trip in seconds, network).
BETWEEN = {"0ms": (0, "10.77.0"), "20ms": (0.02, "10.77.20")}
PLACES = ("loopback", *BETWEEN)
SETTINGS = """
net.ipv4.tcp_fastopen=3
net.ipv4.tcp_syn_retries=1
net.ipv4.ip_forward=0
"""
# The others cost time at each start and tell nothing here.
PROBES = {name: "off" for name in ("runq", "process", "oom", "reclaim", "blkio", "tasks")}


class Space:
    """A network namespace of the test's own."""

    def __init__(self, word):
        self.name = f"moonwatch-{word}-{secrets.token_hex(4)}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.path = f"/run/netns/{self.name}"
        self.enter = ["nsenter", f"--net={self.path}"]
        self.ip("link", "set", "lo", "up")
        settings = SETTINGS.split()
        subprocess.run([*self.enter, "sysctl", "-q", "-w", *settings], check=True)

    def ip(self, *words):
        subprocess.run(["ip", "-n", self.name, *words], check=True)

    def listens(self, port):
        """Whether someone listens there; looked up, since a connect would be a call."""
        return f":{port:04X} " in "".join(
            line
            for kind in ("tcp", "tcp6")
            for line in subprocess.run(
                [*self.enter, "cat", f"/proc/net/{kind}"], check=True, capture_output=True, text=True
            ).stdout.splitlines(True)
            if line.split()[3] == "0A"
        )

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], check=True)


class NearAgent(Agent):
    """In the namespace of the clients, and asked from there."""

    def __init__(self, directory, config, space):
        super().__init__(directory, config)
        self.command = [*space.enter, *self.command]
        self.inside = ThreadPoolExecutor(1, initializer=enter_space, initargs=(space.path,))

    def request(self, *arguments, **kwargs):
        return self.inside.submit(super().request, *arguments, **kwargs).result()

    def close(self):
        super().close()
        self.inside.shutdown()


def enter_space(path):
    """This thread alone."""
    file = os.open(path, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.setns(file, 0x40000000)  # CLONE_NEWNET
    os.close(file)
    assert failed == 0, os.strerror(ctypes.get_errno())


class World:
    """Both namespaces, what joins them, and the cgroup of the clients."""

    def __init__(self):
        self.spaces, self.delays, self.cgroup = [], [], None
        self.scratch = Path(tempfile.mkdtemp(prefix="moonwatch-shapes-", dir="/var/tmp"))
        self.scratch.chmod(0o755)
        self.numbers = itertools.count(10000)
        self.lock = threading.Lock()
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def make(self):
        for word in ("near", "far"):
            self.spaces.append(Space(word))
        for device, (round_trip, network) in BETWEEN.items():
            self.join(device, round_trip, network)
        self.cgroup = Cgroup(cgroup2_mount() / f"moonwatch-shapes-{secrets.token_hex(4)}")

    def join(self, device, round_trip, network):
        near, far = self.spaces
        delay = subprocess.Popen(
            [BINARY.parent / "tests" / "tun_delay", near.path, far.path, device, str(int(round_trip / 2 * 1e6))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.delays.append(delay)
        assert delay.stdout.readline() == "ready\n"
        for space, number in ((near, 1), (far, 2)):
            space.ip("addr", "add", f"{network}.{number}/24", "dev", device)
            space.ip("link", "set", device, "up", "mtu", "1400")

    def port(self):
        with self.lock:
            return next(self.numbers)

    def agent(self, directory, upstreams):
        """Started in the namespace of the clients."""
        overhead = {"budget_percent": 0, "probes": PROBES}
        return NearAgent(directory, {"overhead": overhead, "upstreams": upstreams}, self.spaces[0])

    def close(self):
        if self.cgroup:
            self.cgroup.remove()
        for delay in self.delays:
            delay.stdin.close()
            delay.wait(DEADLINE_SECONDS)
            delay.stdout.close()
        for space in self.spaces:
            space.remove()
        shutil.rmtree(self.scratch)


class Place:
    """Where the servers of a variant are, as its clients see it."""

    def __init__(self, world, name):
        self.name, self.world = name, world
        self.round_trip, network = BETWEEN.get(name, (0, None))
        self.host = f"{network}.2" if network else "127.0.0.1"
        self.nobody = f"{network}.9"  # packets to it are lost
        self.space = world.spaces[1 if network else 0]


class Processes:
    """What one variant started; close() ends it."""

    def __init__(self, place, port):
        self.place, self.port, self.world = place, port, place.world
        self.servers, self.clients = [], []
        self.scratch = Path(tempfile.mkdtemp(dir=self.world.scratch))
        self.scratch.chmod(0o755)

    def server(self, command, port=None, user=None, **kwargs):
        """Started where the servers are, and listening."""
        if user:
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
        with (self.scratch / "servers").open("a") as log:
            process = subprocess.Popen(
                [*self.place.space.enter, *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **kwargs,
            )
        self.servers.append(process)
        port = port or self.port
        wait_for(
            lambda: self.place.space.listens(port) or process.poll() is not None, f"{command[0]} to listen"
        )
        said = (self.scratch / "servers").read_text()[-800:]
        assert process.poll() is None, f"{command[0]} ended with {process.returncode}: {said}"
        return process

    def client(self, command, space=None, **kwargs):
        """Started among the clients."""
        enter = 'echo $$ >"$0" && exec "$@"'
        procs = self.world.cgroup.path / "cgroup.procs"
        command = ["sh", "-c", enter, procs, *(space or self.world.spaces[0]).enter, *command]
        process = subprocess.Popen(
            list(map(str, command)),
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True,
               **kwargs},
        )
        self.clients.append(process)
        return process

    def close(self):
        for process in self.clients:
            process.kill()  # it may have been stopped
        for process in self.servers:
            process.terminate()
            process.send_signal(signal.SIGCONT)
        for process in self.clients + self.servers:
            try:
                process.wait(DEADLINE_SECONDS)
            finally:
                process.kill()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
        shutil.rmtree(self.scratch)


def environment():
    """Python programs of the shapes find the modules beside them."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}
