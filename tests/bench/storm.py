"""What alerts cost beside the time they take: what a storm of them writes to the disk, and what the
messages for a receiver that is dead hold in memory.

Both are the agent's own: bytes it made the kernel write (/proc/PID/io) while 260 processes crash, each
an alert of its own, and its resident memory with an outbox that holds 1,000 messages, less that with an
empty one.
"""

import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

import peers
from crash import crash
from receiver import Receiver

ALERTS = 260
EVERY_SECONDS = 0.04
MESSAGES = 1000
MESSAGE_BYTES = 8192
SETTLE_SECONDS = 12  # the first samples, and what is written a moment after
STORM_BYTES_PER_SECOND = 700_000  # half of what whole documents were
MESSAGE_RSS_BYTES = 1024


def written(pid):
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


def resident(pid):
    (line,) = (l for l in Path(f"/proc/{pid}/status").read_text().splitlines() if l.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def channel(url):
    return {"channels": [{"name": "hook", "type": "webhook", "url": url}]}


def measure_storm(receiver):
    rule = {"name": "ProcessCrash", "kind": "event", "event": "crash", "keep_firing_for": 600,
            "severity": "critical", "matchers": ['comm=~"storm.*"']}
    with peers.agent(alert_manager={**channel(receiver.url()), "rules": [rule]}) as agent:
        time.sleep(SETTLE_SECONDS)
        before, began = written(agent.pid), time.monotonic()
        for i in range(ALERTS):
            crash(f"storm{i}x")
            time.sleep(max(0, began + i * EVERY_SECONDS - time.monotonic()))
        return (written(agent.pid) - before) / (time.monotonic() - began)


def fill(path, count):
    """An outbox as an agent leaves it that was killed with so many messages in it."""
    path.parent.mkdir(exist_ok=True)
    now_ns = time.time_ns()
    body = b"webhook critical\n" + json.dumps({"text": "x" * (MESSAGE_BYTES - 40)}).encode()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE outbox(id INTEGER PRIMARY KEY, channel TEXT NOT NULL, key TEXT NOT NULL,"
            " body BLOB NOT NULL, created_ns INTEGER NOT NULL, next_attempt_ns INTEGER NOT NULL,"
            " attempts INTEGER NOT NULL, UNIQUE(channel, key))"
        )
        database.execute("PRAGMA user_version = 1")
        database.executemany(
            "INSERT INTO outbox(channel, key, body, created_ns, next_attempt_ns, attempts)"
            " VALUES ('hook', ?, ?, ?, 0, 0)",
            [(f"mw-{i:06}", body, now_ns) for i in range(count)],
        )
        database.commit()


def measure_dead(count):
    nobody = f"http://127.0.0.1:{peers.free_port()}/"
    with peers.agent(lambda state: fill(state / "outbox.sqlite", count), alert_manager=channel(nobody)) as agent:
        time.sleep(SETTLE_SECONDS)
        return resident(agent.pid)


def say(name, unit, value, limit):
    line = {"name": name, "unit": unit, "ours": value, "peer_name": None, "peer": None, "ratio": None,
            "required": f"<= {limit}", "ok": value <= limit, "repetitions": 1, "spread_percent": None}
    print(json.dumps(line), flush=True)


def main():
    say(f"written in a storm of {ALERTS} alerts", "B/s", measure_storm(Receiver()), STORM_BYTES_PER_SECOND)
    say("memory of a message for a dead receiver", "B", (measure_dead(MESSAGES) - measure_dead(1)) / MESSAGES,
        MESSAGE_RSS_BYTES)


main()
