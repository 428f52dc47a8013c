"""Shapes of traffic by real programs, on loopback and between two namespaces, 0 and 20 ms away, observed and
enforced: how many calls are counted, how long they took, which failed, and whether the breaker is open. Prints the
table of all, or of those that are named, beside what is right."""

import importlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from calls.shape import HEADING, MODES, SHAPES, Variant, judge, row
from calls.world import World
from conftest import BINARY

for family in ("web", "outage", "data", "client_side"):
    importlib.import_module(f"calls.{family}")


def drive_all(world, shape, directory):
    """[(label, Seen, wrongs, note)] of each variant, all at the same time."""
    variants = [Variant(world, shape, place, mode) for place in shape.places for mode in MODES]
    agent = None
    try:
        agent = world.agent(directory, [variant.upstream() for variant in variants])
        refused = subprocess.run([BINARY, "check", agent.config_path], capture_output=True, text=True)
        if refused.returncode:
            raise ValueError(refused.stderr.splitlines()[0])
        agent.start()
        agent.next_tick()
        for variant in variants:
            variant.agent = agent
        with ThreadPoolExecutor(len(variants)) as pool:
            rights = dict(zip([v.name for v in variants], pool.map(Variant.drive, variants)))
        verdict = judge(agent, variants, rights)
        return [(v.label, *verdict[v.name], rights[v.name].note) for v in variants]
    finally:
        for variant in variants:
            variant.close()
        if agent:
            agent.close()


def main(names):
    world = World()
    try:
        print(HEADING)
        for name in names or SHAPES:
            with tempfile.TemporaryDirectory() as directory:
                try:
                    for each in drive_all(world, SHAPES[name], directory):
                        print(row(*each), flush=True)
                except (Exception, pytest.fail.Exception) as error:
                    blank = f"{name:<60} | {'-':>18} | {'-':>10} | {'-':<28} | -     "
                    print(f"{blank} | WRONG: {str(error).splitlines()[0][:250]}", flush=True)
    finally:
        world.close()


if __name__ == "__main__":
    main(sys.argv[1:])
