"""Shapes in which the client's own state, or a protocol that wants no answer, must not be the upstream's fault."""

from calls.programs import call, curl, serve
from calls.shape import TIMEOUT_SECONDS, Right, shape

POOL = 6
LATE = TIMEOUT_SECONDS + 1


@shape("graphite-writers-one-way", upstream={"protocol": "one_way"})
def graphite(variant):
    serve(variant, "swallow")
    call(variant, "one_way", POOL, LATE)
    return Right.healthy((0, 3 * POOL), note="one_way: nothing answers")


@shape("syslog-writer-that-ends", upstream={"protocol": "one_way"})
def syslog(variant):
    serve(variant, "swallow")
    for _ in range(8):
        call(variant, "one_way", 1, 0)
    return Right.healthy((0, 24), note="one_way: nothing answers")


@shape("writer-that-ends-at-once")
def short_writer(variant):
    """One-way, and nobody said so: what is given up early tells nothing."""
    serve(variant, "swallow")
    for _ in range(8):
        call(variant, "one_way", 1, 0)
    return Right.healthy((0, 24))


@shape("smtp-greeting-healthy")
def mail(variant):
    serve(variant, "greet")
    call(variant, "mail", 10)
    return Right.healthy((40, 50))


@shape("multiplexed")
def multiplexed(variant):
    """A request per 20 ms, each answered after 100 ms."""
    serve(variant, "multiplex")
    seen, answered = call(variant, "multiplexed", 50, 50)
    assert answered == 50
    return Right(
        failed=(0, 0), latency=(0.1 + variant.round_trip, seen), latency_may_hide=True,
        note="which answer is whose is unknown",
    )


@shape("stopped-client-reads-late")
def read_late(variant):
    """The answers were there at once."""
    serve(variant, "http")
    call(variant, "read_late", POOL, LATE)
    return Right.healthy(POOL, (variant.round_trip / 2, LATE / 2))


@shape("zero-window")
def zero_window(variant):
    """What is missing of the answers waits for the client."""
    serve(variant, "http")
    call(variant, "zero_window", POOL, LATE)
    return Right.healthy(POOL, (variant.round_trip / 2, LATE / 2))


@shape("stale-pool")
def stale_pool(variant):
    serve(variant, "http")
    connections = 8
    call(variant, "stale_pool", connections)
    return Right.healthy((2 * connections, 3 * connections))


@shape("happy-eyeballs", places=("loopback",), address=lambda v: [f"[::1]:{v.port}", f"127.0.0.1:{v.port}"])
def happy_eyeballs(variant):
    """The server is on IPv4 only; each user gets its answer."""
    serve(variant, "http")
    right = Right.healthy((30, 60))
    good = call(variant, "happy_eyeballs", 30)[0]
    if good < 30:
        right.harm = f"{good:.0f} of 30 clients served"
    return right


@shape("another-namespace", places=("loopback",))
def another_namespace(variant):
    """Its 127.0.0.1 is another one, where nobody listens."""
    serve(variant, "http")
    variant.run(curl(variant, times=8), space=variant.world.spaces[1])
    return Right.healthy(0)


@shape("late-answers-count-once")
def late_answers(variant):
    """Each a little later than the time-out: a failure, once."""
    serve(variant, "http")
    calls = 4
    call(variant, "get_paths", f"slow{TIMEOUT_SECONDS + 0.3}", calls // 2)
    call(variant, "get_paths", f"slow{TIMEOUT_SECONDS + 0.3}", calls // 2)
    return Right((calls, calls), (calls, calls))
