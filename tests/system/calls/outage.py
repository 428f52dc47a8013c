"""Outages, each of which has to open the breaker."""

from calls.programs import call, calling, certificate, curl, nginx, serve
from calls.shape import THRESHOLD, Right, shape

TRIES = THRESHOLD + 3


def given_up(variant, *options, scheme="http", path="/hang"):
    """After some calls that are answered, all clients give up after a second."""
    healthy = "".join(variant.run(curl(variant, *options, scheme=scheme, path="/ok")) for _ in range(10))
    assert healthy.count("200 ") == 10, healthy
    variant.beside([curl(variant, *options, scheme=scheme, path=path, seconds=1)] * TRIES)
    return Right.outage()


@shape("hang-given-up-after-1s-plain")
def hang_plain(variant):
    serve(variant, "http")
    return given_up(variant)


@shape("hang-given-up-after-1s-tls12")
def hang_tls12(variant):
    nginx(variant, "ssl", backend=serve(variant, "http", port=variant.world.port()))
    return given_up(variant, "--http1.1", "--tls-max", "1.2", "-H", "Connection: close", scheme="https")


@shape("hang-given-up-after-1s-tls13")
def hang_tls13(variant):
    nginx(variant, "ssl", "ssl_protocols TLSv1.3;", backend=serve(variant, "http", port=variant.world.port()))
    return given_up(variant, "--http1.1", "-H", "Connection: close", scheme="https")


@shape("hang-given-up-after-1s-h2")
def hang_h2(variant):
    nginx(variant, "http2", backend=serve(variant, "http", port=variant.world.port()))
    return given_up(variant, "--http2-prior-knowledge")


@shape("hang-past-timeout-plain")
def hang_long(variant):
    serve(variant, "http")
    variant.beside([curl(variant, path="/hang", seconds=4)] * TRIES)
    return Right.outage()


@shape("hang-past-timeout-tls13")
def hang_long_tls13(variant):
    nginx(variant, "ssl", "ssl_protocols TLSv1.3;", backend=serve(variant, "http", port=variant.world.port()))
    variant.beside([curl(variant, "--http1.1", scheme="https", path="/hang", seconds=4)] * TRIES)
    return Right.outage()


@shape("tls-reset-after-request")
def tls_reset(variant):
    serve(variant, "tls_reset", *certificate(variant))
    variant.run(curl(variant, "--http1.1", scheme="https", times=TRIES))
    return Right.outage()


@shape("reset-after-request")
def plain_reset(variant):
    serve(variant, "http")
    variant.run(curl(variant, path="/reset", times=TRIES))
    return Right.outage()


@shape("close-after-request")
def plain_close(variant):
    serve(variant, "http")
    variant.run(curl(variant, path="/close", times=TRIES))
    return Right.outage()


@shape("hang-past-timeout-h2")
def hang_long_h2(variant):
    nginx(variant, "http2", backend=serve(variant, "http", port=variant.world.port()))
    variant.beside([curl(variant, "--http2-prior-knowledge", path="/hang", seconds=4)] * TRIES)
    return Right.outage()


@shape("refused")
def refused(variant):
    variant.run(curl(variant, times=TRIES))
    return Right.outage()


@shape("syns-dropped-given-up-after-1s", places=("0ms", "20ms"), address=lambda v: f"{v.place.nobody}:{v.port}")
def syns_dropped(variant):
    variant.host = variant.place.nobody
    variant.beside([curl(variant, seconds=1)] * TRIES)
    return Right.outage()


@shape("proxy-accepts-and-closes")
def dead_backend(variant):
    nginx(variant, stream=f"{variant.host}:{variant.world.port()}")
    variant.run(curl(variant, times=TRIES))
    return Right.outage()


@shape("proxy-accepts-and-closes-before-a-greeting")
def dead_backend_greeting(variant):
    nginx(variant, stream=f"{variant.host}:{variant.world.port()}")
    call(variant, "greeted", TRIES, 3)
    return Right.outage()


@shape("greeting-server-frozen")
def frozen_greeting(variant):
    serve(variant, "frozen")
    call(variant, "greeted", TRIES, 3)
    return Right.outage()


@shape("greeting-server-frozen-given-up-after-1s")
def frozen_greeting_given_up(variant):
    greeter = serve(variant, "greet")
    call(variant, "mail", 10)
    variant.servers[-1].terminate()
    variant.servers[-1].wait()
    serve(variant, "frozen", port=greeter)
    call(variant, "greeted", TRIES, 1)
    return Right.outage()


SOON = {"recovery_timeout": 0.5, "max_recovery_timeout": 0.5, "half_open_timeout": 60}


def half_open(variant):
    """After an outage in which nobody listened."""
    variant.run(curl(variant, times=TRIES))
    variant.until("half_open")


@shape("half-open-greeting-server-frozen", breaker=SOON)
def half_open_frozen(variant):
    """A connection that nobody greets is no success."""
    half_open(variant)
    serve(variant, "frozen")
    call(variant, "greeted", 4, 3)
    return Right(state=("open", "half_open"))


@shape("half-open-idle-pool", breaker=SOON)
def half_open_pool(variant):
    """Idle connections do not keep others from showing that it is healthy."""
    half_open(variant)
    serve(variant, "http")
    good = call(variant, "pooled", 12, 5)[0]
    return Right(state=("closed",), harm="" if good == 10 else f"{good:.0f} of 10 clients served")


@shape("multiplexed-hang-while-sending")
def multiplexed_hang(variant):
    """Connections whose requests are no longer answered, while the clients go on."""
    serve(variant, "multiplex")
    variant.beside([calling("multiplexed", variant, 180, 10)] * TRIES)
    return Right.outage()
