"""Shapes of HTTP: curl, ab, nghttp and python-requests against nginx and servers that do odd things."""

from calls.programs import answer_times, call, curl, median, nginx, serve
from calls.shape import THRESHOLD, Right, shape
from conftest import BINARY

COUNT = 20
STATUS = {"kind": "http", "read_status": True}


def by_curl(variant, *options, scheme="http", times=COUNT, path="/", backend_seconds=0):
    """Answered calls with the latency that curl saw; it cannot be below what lies between."""
    measured = answer_times(variant.run(curl(variant, *options, scheme=scheme, times=times, path=path)))
    assert len(measured) == times, f"{len(measured)} of {times} were answered"
    return Right.healthy(times, (variant.round_trip + backend_seconds, max(median(measured), 1e-3)))


@shape("curl-h1-keepalive")
def h1_keepalive(variant):
    nginx(variant)
    return by_curl(variant)


@shape("curl-h1-connection-each")
def h1_connection_each(variant):
    nginx(variant)
    return by_curl(variant, "-H", "Connection: close")


@shape("curl-tls12")
def tls12(variant):
    nginx(variant, "ssl")
    return by_curl(variant, "--http1.1", "--tls-max", "1.2", scheme="https")


@shape("curl-tls12-connection-each")
def tls12_connection_each(variant):
    nginx(variant, "ssl")
    return by_curl(variant, "--http1.1", "--tls-max", "1.2", "-H", "Connection: close", scheme="https")


@shape("curl-tls13")
def tls13(variant):
    nginx(variant, "ssl", "ssl_protocols TLSv1.3;")
    return by_curl(variant, "--http1.1", scheme="https")


@shape("curl-tls13-connection-each")
def tls13_connection_each(variant):
    nginx(variant, "ssl", "ssl_protocols TLSv1.3;")
    return by_curl(variant, "--http1.1", "-H", "Connection: close", scheme="https")


@shape("curl-h2-tls")
def h2_tls(variant):
    """TLS hides which record is a request: not to judge is right too, but not to count others."""
    nginx(variant, "ssl http2")
    right = by_curl(variant, "--http2", scheme="https")
    right.calls, right.latency_may_hide, right.note = (0, COUNT), True, "tls hides streams"
    return right


@shape("curl-h2-plain")
def h2_plain(variant):
    """Each with a connection of its own: this curl uses none a second time that began without an upgrade."""
    nginx(variant, "http2")
    said = "".join(variant.run(curl(variant, "--http2-prior-knowledge")) for _ in range(COUNT))
    measured = answer_times(said)
    assert len(measured) == COUNT, said
    return Right.healthy(COUNT, (variant.round_trip, max(median(measured), 1e-3)))


SLOW = 0.3


@shape("backend-300ms-h1")
def slow_h1(variant):
    serve(variant, "http")
    return by_curl(variant, times=5, path=f"/slow{SLOW}", backend_seconds=SLOW)


@shape("backend-300ms-tls13-connection-each")
def slow_tls13(variant):
    nginx(variant, "ssl", "ssl_protocols TLSv1.3;", backend=serve(variant, "http", port=variant.world.port()))
    return by_curl(
        variant, "--http1.1", "-H", "Connection: close", scheme="https", times=5, path=f"/slow{SLOW}",
        backend_seconds=SLOW,
    )


@shape("tcp-fast-open")
def fast_open(variant):
    nginx(variant, "fastopen=64")
    return by_curl(variant, "--tcp-fastopen", "-H", "Connection: close", times=11)


@shape("ab")
def ab(variant):
    nginx(variant)
    said = variant.run(["ab", "-q", "-n", "200", "-c", "4", variant.url()])
    assert "Complete requests:      200" in said, said
    return Right.healthy(200)


@shape("ab-keepalive")
def ab_keepalive(variant):
    nginx(variant)
    said = variant.run(["ab", "-q", "-k", "-n", "200", "-c", "4", variant.url()])
    assert "Complete requests:      200" in said, said
    return Right.healthy(200)


def downloads(variant, scheme):
    """Five of a megabyte each, which takes window updates."""
    files = variant.scratch / "files"
    files.mkdir()
    for number in range(5):
        (files / f"file{number}").write_bytes(bytes(1 << 20))
    urls = [variant.url(f"/file{number}", scheme) for number in range(5)]
    variant.run(["nghttp", "-n", "--no-verify-peer", *urls])
    variant.past_timeout()
    return (variant.scratch / "access").read_text().count("HTTP/2.0\" 200")


def files_of(variant):
    return f"location /file {{ root {variant.scratch}/files; }}"


@shape("nghttp-5-downloads-tls")
def downloads_tls(variant):
    nginx(variant, "ssl http2", files_of(variant))
    assert downloads(variant, "https") == 5
    return Right.healthy((0, 5), note="tls hides streams")


@shape("nghttp-5-downloads-plain")
def downloads_plain(variant):
    nginx(variant, "http2", files_of(variant))
    assert downloads(variant, "http") == 5
    return Right.healthy(5)


@shape("h2-idle-after-settings-ack")
def h2_idle(variant):
    nginx(variant, "http2")
    call(variant, "http2_idle", 6, 3)
    return Right.healthy(6)


@shape("continue-then-500", upstream=STATUS)
def continue_then_500(variant):
    serve(variant, "http")
    for _ in range(8):
        variant.run(["curl", "-s", "-H", "Expect: 100-continue", "-d", "x" * 2000, variant.url("/continue")])
    return Right.outage(calls=(THRESHOLD, 8))


@shape("status-in-two-segments", upstream=STATUS)
def split_status(variant):
    serve(variant, "http")
    variant.run(curl(variant, "-H", "Connection: close", path="/split", times=8))
    return Right.outage()


@shape("status-500", upstream=STATUS)
def status_500(variant):
    serve(variant, "http")
    variant.run(curl(variant, "-H", "Connection: close", path="/bad", times=8))
    return Right.outage()


@shape("body-begins-as-a-500", upstream=STATUS)
def quoted_500(variant):
    serve(variant, "http")
    variant.run(curl(variant, path="/quote", times=8))
    return Right.healthy(8)


@shape("io-uring")
def io_uring(variant):
    nginx(variant)
    said = variant.run([BINARY.parent / "tests" / "uring_client", variant.host, variant.port, COUNT])
    assert said.strip() == str(COUNT), said
    return Right.healthy(COUNT)


@shape("python-requests-session")
def requests_session(variant):
    nginx(variant)
    seen = call(variant, "sessions", "", COUNT)[0]
    return Right.healthy(COUNT, (variant.round_trip, max(seen, 1e-3)))


@shape("long-poll-timeout-0", breaker={"timeout": 0})
def long_poll(variant):
    serve(variant, "http")
    said = variant.beside([curl(variant, path="/slow3")] * 6)
    assert all(text.startswith("200") for text in said), said
    return Right.healthy(6, (3, 10))


@shape("websocket-unanswered-frame")
def websocket(variant):
    serve(variant, "websockets")
    call(variant, "websocket", 6, 3)
    return Right.healthy(6, note="what follows the upgrade is not judged")
