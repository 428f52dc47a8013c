"""A server that can be made to fail in every way, and clients inside a cgroup, for the tests of
breakers. Run as a program it is such a client: one request per line of its input."""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

from patience import DEADLINE_SECONDS

HELD = []  # sockets, so that their ports stay as free as they were


def free_port():
    """A port of 127.0.0.1 on which nobody listens and which nobody else is given while this process lives;
    who asks for it by number and with SO_REUSEADDR, as servers do, gets it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    HELD.append(held)
    return held.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """HTTP on loopback; `behaviour` is looked at for each request: ok, error, hang, reset, slow."""

    def __init__(self, body=b"ok"):
        self.behaviour, self.body, self.slow_seconds = "ok", body, 0.2
        self.answered = {}
        self.listener = None
        self.open = []
        self.lock = threading.Lock()
        self.port = free_port()
        self.start()

    def start(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(512)
        self.listener = listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.open.append(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            while b"\r\n\r\n" not in peer.recv(65536):
                pass
            self.answer(peer, self.behaviour)
        except OSError:
            pass

    def answer(self, peer, behaviour):
        with self.lock:
            self.answered[behaviour] = self.answered.get(behaviour, 0) + 1
        if behaviour == "hang":
            return
        if behaviour == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            return
        if behaviour == "slow":
            time.sleep(self.slow_seconds)  # on purpose: what an answer takes
        status = b"500 Internal Server Error" if behaviour == "error" else b"200 OK"
        peer.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(self.body), self.body))
        peer.close()

    def stop(self):
        """As if it had been killed: nobody listens any more, connections are reset."""
        if self.listener:
            # Wakes the thread in accept(); closing alone does not.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        with self.lock:
            for peer in self.open:
                peer.close()
            self.open.clear()


class Client:
    """A process in the cgroup that makes one request at a time and says how each ended."""

    def __init__(self, cgroup):
        self.process = cgroup.popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, port, timeout=DEADLINE_SECONDS):
        self.process.stdin.write(f"{port} {timeout}\n")
        self.process.stdin.flush()

    def result(self):
        return json.loads(self.process.stdout.readline())

    def get(self, port, timeout=DEADLINE_SECONDS):
        """{"error": errno or 0, "status", "body", "began_ns", "ended_ns"}"""
        self.start(port, timeout)
        return self.result()

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


def one_request(port, timeout):
    result = {"error": 0, "status": None, "body": "", "began_ns": time.monotonic_ns()}
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while part := peer.recv(65536):
                answer += part
            head, _, body = answer.partition(b"\r\n\r\n")
            result["status"] = int(head.split(b" ", 2)[1]) if head else None
            result["body"] = body.decode()
    except OSError as error:
        result["error"] = error.errno or -1
    result["ended_ns"] = time.monotonic_ns()
    return result


if __name__ == "__main__":
    # Ends with its parent: nobody else closes its input.
    for line in sys.stdin:
        port, timeout = line.split()
        print(json.dumps(one_request(int(port), float(timeout))), flush=True)
    os._exit(0)
