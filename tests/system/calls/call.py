"""Clients of the shapes that no package has: call.py CLIENT HOST PORT [ARGUMENTS]. What they say is their last
line: numbers of it are seconds that they measured, or counts."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time

GET = b"GET /%s HTTP/1.1\r\nHost: there\r\n\r\n"


def pass_time(seconds):
    time.sleep(seconds)  # on purpose: what the shape takes


def connect(host, port):
    peer = socket.create_connection((host, port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def say(*words):
    print(*words, flush=True)


def get(peer, path):
    peer.sendall(GET % path.encode())
    return peer.recv(65536)


def at_once(count, act):
    """So many of them side by side, until the last one ends."""
    threads = [threading.Thread(target=act) for _ in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say("done")


def one_way(host, port, connections, seconds):
    """As graphite's and syslog's writers: some lines, then idle."""
    open_ones = [connect(host, port) for _ in range(int(connections))]
    for number in range(3):
        for peer in open_ones:
            peer.sendall(b"shop.orders.count %d 1700000000\n" % number)
        pass_time(0.1)
    pass_time(float(seconds))
    say("done")


def mail(host, port, connections):
    """Greeting, three commands, QUIT."""
    began = time.monotonic()
    for _ in range(int(connections)):
        with connect(host, port) as peer:
            assert peer.recv(4096).startswith(b"220")
            for command in (b"EHLO me\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n"):
                peer.sendall(command)
                assert peer.recv(4096)
            peer.sendall(b"QUIT\r\n")
            assert peer.recv(4096).startswith(b"221")
    say(time.monotonic() - began)


def greeted(host, port, connections, seconds):
    """Waits for a greeting, each of them so long."""

    def wait():
        with contextlib.suppress(OSError), connect(host, port) as peer:
            peer.settimeout(float(seconds))
            peer.recv(4096)

    at_once(connections, wait)


def multiplexed(host, port, requests, hang_after):
    """A request per 20 ms, on one connection; from number hang_after on, those that nobody answers."""
    peer = connect(host, port)
    sent, times, answered = {}, [], threading.Event()

    def read():
        while message := peer.recv(8, socket.MSG_WAITALL):
            times.append(time.monotonic() - sent[message])
        answered.set()

    threading.Thread(target=read, daemon=True).start()
    for number in range(int(requests)):
        message = b"%s%07d" % (b"h" if number >= int(hang_after) else b"r", number)
        sent[message] = time.monotonic()
        try:
            peer.sendall(message)
        except OSError:
            break
        pass_time(0.02)
    pass_time(0.5)
    say(sorted(times)[len(times) // 2] if times else 0, len(times))


def read_late(host, port, connections, seconds):
    """Asks, is stopped as by SIGSTOP, swap or a collection of garbage, and reads."""
    pool = [connect(host, port) for _ in range(int(connections))]
    for peer in pool:
        peer.sendall(GET % b"ok")
    child = os.fork()
    if child == 0:
        pass_time(float(seconds))
        os.kill(os.getppid(), signal.SIGCONT)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGSTOP)
    for peer in pool:
        assert peer.recv(65536).startswith(b"HTTP/1.1 200")
    os.waitpid(child, 0)
    say("done")


def zero_window(host, port, connections, seconds):
    """Lets its receive buffers fill up, and takes the rest late."""
    size = 8 << 20
    pool = [connect(host, port) for _ in range(int(connections))]
    for peer in pool:
        peer.sendall(GET % b"big%d" % size)
    pass_time(float(seconds))
    for peer in pool:
        left = size
        while left > 0:
            part = peer.recv(1 << 20)
            assert part
            left -= len(part)
    say("done")


def stale_pool(host, port, connections):
    """Finds its idle connections closed by writing into them, and opens new ones."""
    pool = [connect(host, port) for _ in range(int(connections))]
    for peer in pool:
        assert get(peer, "idle0.3").startswith(b"HTTP/1.1 200")
    pass_time(1)
    again = 0
    for peer in pool:
        with contextlib.suppress(OSError):
            peer.sendall(GET % b"ok")
    for peer in pool:
        with contextlib.suppress(OSError):
            if peer.recv(65536):
                continue
        again += 1
    for _ in range(again):
        with contextlib.suppress(ConnectionRefusedError), connect(host, port) as fresh:
            assert get(fresh, "ok").startswith(b"HTTP/1.1 200")
    say(again)


def goodbye(host, port, connections):
    """LDAP: bind, unbind, and the server closes."""
    for _ in range(int(connections)):
        with connect(host, port) as peer:
            peer.sendall(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")
            assert peer.recv(4096)
            peer.sendall(b"\x30\x05\x02\x01\x02\x42\x00")
            assert peer.recv(4096) == b""
    say("done")


def get_paths(host, port, path, times):
    """Of one connection; says the median."""
    measured = []
    with connect(host, port) as peer:
        for _ in range(int(times)):
            began = time.monotonic()
            assert get(peer, path)
            measured.append(time.monotonic() - began)
    say(sorted(measured)[len(measured) // 2])


def http2_idle(host, port, connections, seconds):
    """One answered GET on each, the settings acknowledged afterwards, then idle."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    headers = b"\x82\x86\x84\x41\x05there"
    settings, acknowledgement = b"\0\0\0\x04\0\0\0\0\0", b"\0\0\0\x04\x01\0\0\0\0"
    request = len(headers).to_bytes(3, "big") + b"\x01\x05\0\0\0\x01" + headers
    pool = [connect(host, port) for _ in range(int(connections))]
    for peer in pool:
        peer.sendall(preface + settings + request)
    for peer in pool:
        said = b""
        while b"ok\n" not in said:
            said += peer.recv(65536)
        peer.sendall(acknowledgement)
    pass_time(float(seconds))
    say("done")


def happy_eyeballs(_, port, times):
    """localhost by both families, as Go does: the next address at once when one refuses."""
    good = 0
    for _ in range(int(times)):
        for host in ("::1", "127.0.0.1"):
            with contextlib.suppress(OSError), connect(host, port) as peer:
                good += get(peer, "ok").startswith(b"HTTP/1.1 200")
                break
    say(good)


def sessions(host, port, path, times):
    """python-requests, one session."""
    import requests

    measured = []
    with requests.Session() as session:
        for _ in range(int(times)):
            began = time.monotonic()
            assert session.get(f"http://{host}:{port}/{path}").status_code == 200
            measured.append(time.monotonic() - began)
    say(sorted(measured)[len(measured) // 2])


def redis_pool(host, port, times):
    import redis

    client, measured = redis.Redis(host, port), []
    for number in range(int(times)):
        began = time.monotonic()
        client.set(f"k{number}", number)
        measured.append(time.monotonic() - began)
    say(sorted(measured)[len(measured) // 2])


def redis_wait(host, port, connections, seconds):
    """BLPOP of what nobody pushes."""
    import redis

    def wait():
        redis.Redis(host, port).blpop("nothing", timeout=float(seconds))

    at_once(connections, wait)


def redis_ask(host, port, connections, seconds):
    """Each once, and no longer than so."""
    import redis

    def ask():
        with contextlib.suppress(redis.RedisError):
            redis.Redis(host, port, socket_timeout=float(seconds)).get("key")

    at_once(connections, ask)


def pooled(host, port, connections, seconds):
    """Opens idle connections, and asks on new ones meanwhile, until ten were answered."""
    pool, good, until = [], 0, time.monotonic() + float(seconds)
    for _ in range(int(connections)):
        with contextlib.suppress(ConnectionRefusedError):
            pool.append(connect(host, port))
    while good < 10 and time.monotonic() < until:
        with contextlib.suppress(ConnectionRefusedError), connect(host, port) as fresh:
            good += get(fresh, "ok").startswith(b"HTTP/1.1 200")
        pass_time(0.1)
    say(good)


def websocket(host, port, connections, seconds):
    """One frame that nobody answers on each."""
    import asyncio

    import websockets

    async def hold():
        async with websockets.connect(f"ws://{host}:{port}/", ping_interval=None) as peer:
            await peer.send("hello")
            await asyncio.sleep(float(seconds))

    async def all_of_them():
        await asyncio.gather(*(hold() for _ in range(int(connections))))

    asyncio.run(all_of_them())
    say("done")


def main(name, host, port, *arguments):
    return globals()[name](host, int(port), *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
