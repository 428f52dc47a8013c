"""Shapes of traffic by real programs, on loopback and between two namespaces, 0 and 20 ms away, observed and
enforced: how many calls are counted, how long they took, which failed, and whether the breaker is open. As a
program it prints the table of all, or of those that are named."""

import importlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from calls.shape import HEADING, MODES, SHAPES, Variant, judge, row
from calls.world import World
from conftest import BINARY

for family in ("web", "outage", "data", "client_side"):
    importlib.import_module(f"calls.{family}")

# Judged wrongly as yet, in one of their variants at least. Of some a race decides whether a run shows it, so that
# one that happens to be right is no failure.
WRONG = """
curl-tls12 curl-tls12-connection-each curl-tls13 curl-tls13-connection-each curl-h2-tls
backend-300ms-tls13-connection-each tcp-fast-open nghttp-5-downloads-tls nghttp-5-downloads-plain
h2-idle-after-settings-ack continue-then-500 status-in-two-segments body-begins-as-a-500
long-poll-timeout-0 websocket-unanswered-frame hang-given-up-after-1s-plain hang-given-up-after-1s-tls12
hang-given-up-after-1s-tls13 hang-given-up-after-1s-h2 hang-past-timeout-tls13 tls-reset-after-request
syns-dropped-given-up-after-1s proxy-accepts-and-closes-before-a-greeting greeting-server-frozen
greeting-server-frozen-given-up-after-1s multiplexed-hang-while-sending pgbench-connection-each
mariadb-connect-and-quit redis-blpop-timeout-0 ldap-unbind graphite-writers-one-way
syslog-writer-that-ends multiplexed stopped-client-reads-late zero-window stale-pool happy-eyeballs
late-answers-count-once mariadb-stopped half-open-greeting-server-frozen half-open-idle-pool
curl-h2-plain psql-connect-and-goodbye pgbench postgresql-listen proxy-accepts-and-closes
""".split()


class Wrong(Exception):
    """What is shown of a shape; whatever else is raised is a fault of the test."""


def expected(name):
    return [pytest.mark.xfail(raises=Wrong, reason="the model of calls")] if name in WRONG else []


@pytest.fixture(scope="module")
def world():
    world = World()
    yield world
    world.close()


def drive_all(world, shape, directory, patient):
    """[(label, Seen, wrongs, note)] of each variant, all at the same time."""
    variants = [Variant(world, shape, place, mode) for place in shape.places for mode in MODES]
    agent = None
    try:
        agent = world.agent(directory, [variant.upstream() for variant in variants])
        refused = subprocess.run([BINARY, "check", agent.config_path], capture_output=True, text=True)
        if refused.returncode:
            raise Wrong(refused.stderr.splitlines()[0])
        agent.start()
        agent.next_tick()
        for variant in variants:
            variant.agent = agent
        with ThreadPoolExecutor(len(variants)) as pool:
            rights = dict(zip([v.name for v in variants], pool.map(Variant.drive, variants)))
        verdict = judge(agent, variants, rights, patient)
        return [(v.label, *verdict[v.name], rights[v.name].note) for v in variants]
    finally:
        for variant in variants:
            variant.close()
        if agent:
            agent.close()


def test_each_name_is_a_shape():
    assert set(WRONG) <= set(SHAPES)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=expected(name)) for name in SHAPES],
)
def test_shape(world, tmp_path, name):
    rows = drive_all(world, SHAPES[name], tmp_path, name not in WRONG)
    table = "\n".join(row(*each) for each in rows)
    print(f"\n{HEADING}\n{table}")
    if any(wrongs for _, _, wrongs, _ in rows):
        raise Wrong(f"\n{table}")


def main(names):
    world = World()
    try:
        print(HEADING)
        for name in names or SHAPES:
            with tempfile.TemporaryDirectory() as directory:
                try:
                    for each in drive_all(world, SHAPES[name], directory, False):
                        print(row(*each), flush=True)
                except (Exception, pytest.fail.Exception) as error:
                    blank = f"{name:<60} | {'-':>18} | {'-':>10} | {'-':<28} | -     "
                    print(f"{blank} | WRONG: {str(error).splitlines()[0][:250]}", flush=True)
    finally:
        world.close()


if __name__ == "__main__":
    main(sys.argv[1:])
