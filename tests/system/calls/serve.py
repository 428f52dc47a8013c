"""Servers of the shapes that no package has: serve.py BEHAVIOUR HOST PORT [ARGUMENTS]."""

import socket
import ssl
import struct
import sys
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


def pass_time(seconds):
    time.sleep(seconds)  # on purpose: what the shape takes


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def until_closed(peer):
    while peer.recv(65536):
        pass


def http(peer, *_):
    """What the path says."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    kept = b""
    while True:
        while b"\r\n\r\n" not in kept:
            part = peer.recv(65536)
            if not part:
                return
            kept += part
        head, _, kept = kept.partition(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].strip(b"/").decode()
        if path.startswith("slow"):
            pass_time(float(path[4:]))
            peer.sendall(OK)
        elif path == "hang":
            return until_closed(peer)
        elif path == "reset":
            return reset(peer)
        elif path == "close":
            return
        elif path == "bad":
            peer.sendall(BAD)
        elif path == "continue":
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            pass_time(0.1)
            peer.sendall(BAD)
            return
        elif path == "split":
            peer.sendall(BAD[:10])
            pass_time(0.1)
            peer.sendall(BAD[10:])
        elif path == "quote":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BAD))
            pass_time(0.1)
            peer.sendall(BAD)
        elif path.startswith("big"):
            size = int(path[3:])
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        elif path.startswith("idle"):
            peer.sendall(OK)
            peer.settimeout(float(path[4:]))
            try:
                kept = peer.recv(65536)
            except TimeoutError:
                return  # as servers do with connections that idle
            peer.settimeout(None)
        else:
            peer.sendall(OK)


def tls_reset(peer, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    wrapped = context.wrap_socket(peer, server_side=True)
    wrapped.recv(65536)
    reset(socket.socket(fileno=wrapped.detach()))


def swallow(peer, *_):
    until_closed(peer)


def greet(peer, *_):
    """As SMTP does: the server speaks first, and obeys QUIT."""
    peer.sendall(b"220 moonwatch.test ESMTP\r\n")
    kept = b""
    while part := peer.recv(4096):
        kept += part
        while b"\r\n" in kept:
            line, _, kept = kept.partition(b"\r\n")
            if line.upper().startswith(b"QUIT"):
                peer.sendall(b"221 bye\r\n")
                return
            peer.sendall(b"354 go on\r\n" if line == b"DATA" else b"250 fine\r\n" if line != b"x" else b"")


def multiplex(peer, *_):
    """Each message of 8 bytes is answered 100 ms later; h...... hangs."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answer(message):
        pass_time(0.1)
        peer.sendall(message)

    while message := peer.recv(8, socket.MSG_WAITALL):
        if not message.startswith(b"h"):
            threading.Thread(target=answer, args=(message,), daemon=True).start()


def ldap(peer, *_):
    """A bind is answered, an unbind is obeyed: nothing comes back but the end."""
    while message := peer.recv(4096):
        if message[5:6] == b"\x42":
            return
        peer.sendall(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00")


def websockets(host, port):
    """Takes frames, and pings nobody."""
    import asyncio

    import websockets.server

    async def run():
        async def take(peer, *_):
            async for _ in peer:
                pass

        async with websockets.server.serve(take, host, port, ping_interval=None):
            await asyncio.Future()

    asyncio.run(run())


def listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


def serve(behaviour, peer, arguments):
    try:
        with peer:
            behaviour(peer, *arguments)
    except OSError:
        pass


def main(name, host, port, *arguments):
    if name == "websockets":
        return websockets(host, int(port))
    listener = listen(host, int(port))
    if name == "frozen":  # the kernel accepts, and nobody else
        threading.Event().wait()
    behaviour = globals()[name]
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=serve, args=(behaviour, peer, arguments), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
