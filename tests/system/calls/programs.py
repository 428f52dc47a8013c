"""The programs that the shapes start."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# Without this directory in the path, so that no module here hides another of its name.
PYTHON = [sys.executable, "-B", "-P"]
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def serve(variant, behaviour, *arguments, port=None, host=None):
    port = port or variant.port
    variant.server([*PYTHON, HERE / "serve.py", behaviour, host or variant.host, port, *arguments], port)
    return port


def calling(name, variant, *arguments):
    """The command of a client."""
    return [*PYTHON, HERE / "call.py", name, variant.host, variant.port, *arguments]


def call(variant, name, *arguments):
    """The numbers that a client said; it has to come to its end."""
    said = variant.run(calling(name, variant, *arguments)).splitlines()
    assert said, f"{name} said nothing"
    words = said[-1].split()
    return [] if words == ["done"] else [float(word) for word in words]


def certificate(variant):
    """(certificate, key), made here."""
    pair = variant.world.scratch / "cert.pem", variant.world.scratch / "key.pem"
    with variant.world.lock:
        if not pair[0].exists():
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", pair[1], "-out", pair[0], "-days", "2", "-subj", "/CN=moonwatch.test"],
                check=True, capture_output=True,
            )
    return pair


def nginx(variant, listen="", server="", backend=None, stream=None):
    """In front of the backend, a port, if there is one; without, it answers itself."""
    at = variant.scratch
    temporary = " ".join(f"{kind}_temp_path {at}/{kind};" for kind in TEMPORARY)
    modules = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;" if stream else ""
    location = (
        f"proxy_pass http://{variant.host}:{backend}; proxy_http_version 1.1; proxy_set_header Connection '';"
        if backend
        else "return 200 'ok\\n';"
    )
    if "ssl" in listen:
        cert, key = certificate(variant)
        server += f" ssl_certificate {cert}; ssl_certificate_key {key};"
    block = (
        f"stream {{ server {{ listen {variant.host}:{variant.port}; proxy_pass {stream}; }} }}"
        if stream
        else f"""http {{ access_log {at}/access; {temporary} keepalive_requests 100000;
  server {{ listen {variant.host}:{variant.port} {listen}; {server} location / {{ {location} }} }} }}"""
    )
    (at / "nginx.conf").write_text(
        f"{modules} daemon off; master_process off; pid {at}/pid; error_log {at}/error;\n"
        f"events {{ worker_connections 256; }}\n{block}\n"
    )
    variant.server(["nginx", "-e", at / "error", "-c", at / "nginx.conf"])


def curl(variant, *options, path="/", scheme="http", times=1, seconds=None):
    """The command for so many requests of the url, in one process; it says the time of each."""
    limit = ["-m", str(seconds)] if seconds else []
    wanted = ["-o", "/dev/null"] * times + [variant.url(path, scheme)] * times
    return ["curl", "-sk", "-w", "%{http_code} %{time_pretransfer} %{time_starttransfer}\\n", *limit, *options, *wanted]


def answer_times(said):
    """(sorted seconds from a request to its answer, seconds to the request) of what curl said."""
    rows = [line.split() for line in said.splitlines()]
    return sorted(float(row[2]) - float(row[1]) for row in rows if row[0] != "000")


def median(times):
    return sorted(times)[len(times) // 2]
