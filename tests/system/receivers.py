"""Receivers of notifications for the tests: HTTP that can fail in every way, Debian's Alertmanager, and
a mail server with STARTTLS and logins (run as a program)."""

import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from patience import DEADLINE_SECONDS
from traffic import free_port


class Webhook:
    """Notes every request whole. `behaviour` is looked at for each: ok, or what it says."""

    ANSWERS = {
        "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "none": b"HTTP/1.1 204 No Content\r\n\r\n",
        "error": b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
        "refuse": b"HTTP/1.1 400 Bad\r\nContent-Length: 15\r\n\r\ninvalid_payload",
        "throttle": b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
        "garbage": b"\x00\xff\xfe not HTTP at all\r\n\r\n",
    }

    def __init__(self):
        self.behaviour = "ok"
        self.requests = []  # dicts: headers, body, behaviour, at (monotonic), answered
        self.on_request = lambda request: None
        self.open = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            data = b""
            while b"\r\n\r\n" not in data:
                data += peer.recv(65536)
            head, body = data.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
            while len(body) < int(headers.get("content-length", 0)):
                body += peer.recv(65536)
            request = {"line": lines[0], "headers": headers, "body": body, "behaviour": self.behaviour,
                       "at": time.monotonic()}
            self.requests.append(request)
            self.on_request(request)
            self.answer(peer, request["behaviour"])
            request["answered"] = True
        except OSError:
            pass

    def answer(self, peer, behaviour):
        if behaviour == "hang":
            return
        if behaviour == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            return
        peer.sendall(self.ANSWERS[behaviour])
        peer.shutdown(socket.SHUT_WR)

    def bodies(self):
        return [json.loads(r["body"]) for r in list(self.requests)]

    def alerts(self, status):
        """Names of the alerts that were delivered with this status."""
        return [
            a["labels"]["alertname"]
            for r in list(self.requests)
            if r["behaviour"] in ("ok", "none")
            for a in json.loads(r["body"])["alerts"]
            if a["status"] == status
        ]

    def close(self):
        self.listener.close()
        for peer in self.open:
            peer.close()


class Alertmanager:
    """Debian's, on a port and in a directory of its own."""

    def __init__(self, directory, resolve_timeout):
        """Seconds after which it ends by itself what nobody reminds it of."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        directory.mkdir()
        self.process = None
        self.start(resolve_timeout)

    def start(self, resolve_timeout):
        (self.directory / "alertmanager.yml").write_text(
            f"global: {{resolve_timeout: {resolve_timeout}s}}\n"
            "route: {receiver: nobody, group_by: [alertname]}\n"
            "receivers: [{name: nobody}]\n"
        )
        self.process = subprocess.Popen(
            ["prometheus-alertmanager", f"--config.file={self.directory}/alertmanager.yml",
             f"--storage.path={self.directory}/data", f"--web.listen-address=127.0.0.1:{self.port}",
             "--cluster.listen-address="],
            stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "a"),
        )

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE_SECONDS) as answer:
            return json.load(answer)

    def ready(self):
        try:
            self.get("/api/v2/status")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def active(self):
        return {a["labels"]["alertname"]: a for a in self.get("/api/v2/alerts?active=true")}

    def kill(self):
        self.process.kill()
        self.process.wait()


class MailServer:
    """aiosmtpd in a process of its own; mails land in a directory, one file each."""

    def __init__(self, directory, certificate=None, key=None, user=None, password=None, implicit=False):
        self.port = free_port()
        self.mails = directory
        directory.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["/usr/bin/python3", __file__, str(self.port), str(directory), str(certificate or ""),
             str(key or ""), user or "", password or "", "implicit" if implicit else ""],
            stdout=subprocess.PIPE, text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def serve_mail(port, directory, certificate, key, user, password, implicit):
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

    class Handler:
        count = 0

        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("gone@"):
                return "550 5.1.1 no such user here"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            Handler.count += 1
            about = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                     "login": session.auth_data.login.decode() if session.auth_data else None}
            path = f"{directory}/{Handler.count:04}"
            with open(path + ".eml", "wb") as file:
                file.write(envelope.content)
            with open(path + ".part", "w") as file:
                json.dump(about, file)
            os.rename(path + ".part", path + ".json")
            return "250 Message accepted"

    def authenticate(server, session, envelope, mechanism, data):
        # Not "handled": it is for the server to say 535.
        right = (data.login.decode(), data.password.decode()) == (user, password)
        return AuthResult(success=right, handled=False, auth_data=data)

    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    controller = Controller(
        Handler(), hostname="127.0.0.1", port=int(port), authenticator=authenticate, auth_required=bool(user),
        # To aiosmtpd only STARTTLS is TLS.
        auth_require_tls=bool(certificate and not implicit), ssl_context=context if implicit else None,
        tls_context=None if implicit else context, require_starttls=bool(certificate and not implicit),
    )
    controller.start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve_mail(*sys.argv[1:])
