"""What the tests of alerts share: rules, what an operator does, a crash, a webhook."""

import contextlib
import http.server
import json
import signal
import sqlite3
import subprocess
import threading
import time
from datetime import datetime, timezone

import pytest
from conftest import BINARY, DEADLINE_SECONDS, own_name, wait_for

ALWAYS = {"name": "Always", "metric": "moonwatch_memory_total_bytes", "above": 1, "for": 0, "severity": "error"}
NEVER = {"name": "Never", "metric": "moonwatch_memory_total_bytes", "above": 1e18, "for": 0}
# What the machine of the test goes through meanwhile is not its subject.
QUIET = [
    {"name": name, "kind": "status", "enabled": False}
    for name in (
        "HostCpu HostMemory HostSwap HostDisk HostInodes HostFilesystem HostPids HostFiles HostConntrack HostPressure "
        "HostStalled CgroupThrottled RunQueueDelay ProcessFiles AcceptQueue TasksStuck"
    ).split()
] + [
    {"name": name, "kind": "event", "event": event, "enabled": False}
    for name, event in (
        ("ProcessCrash", "crash"), ("CrashLoop", "crash"), ("OomKill", "oom"), ("ReclaimStalls", "stall"),
        ("ProbeShed", "probe_shed"), ("RecordsLost", "records_lost"),
    )
] + [{"name": "AgentLate", "metric": "moonwatch_loop_lag_seconds", "above": 1, "enabled": False}]


def ours(word):
    """A process name that CRASH takes: other processes crash meanwhile, of other tests and of the machine."""
    return own_name("-" + word)


OURS = [f'comm=~"{ours("")}.*"']
CRASH = {"name": "ProcessCrash", "kind": "event", "event": "crash", "severity": "critical", "matchers": OURS,
         "keep_firing_for": 1}


def with_rules(*rules, **alert_manager):
    names = {rule["name"] for rule in rules}
    quiet = [rule for rule in QUIET if rule["name"] not in names]
    return {"alert_manager": {"rules": [*quiet, *rules], **alert_manager}}


@pytest.fixture
def start(make_agent):
    def run(*rules, more=None, **alert_manager):
        agent = make_agent(config={**with_rules(*rules, **alert_manager), **(more or {})}).start()
        wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
        return agent

    return run


def token_of(agent):
    return (agent.directory / "run" / "admin.token").read_text().strip()


def act(agent, path, body=None, method="POST"):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token_of(agent)}"}
    status, _, text = agent.request(path, method, headers, data)
    return status, json.loads(text)


def reload(agent, config):
    agent.config = {**agent.config, **config}
    agent.write_config(agent.config)
    status, answer = act(agent, "/admin/reload")
    assert status == 200, answer


def find(agent, name, where="alerts", query=""):
    return [a for a in agent.json("/alerts" + query)[where] if a["alertname"] == name]


def firing(agent, name):
    """The alert once it fires."""
    return wait_for(
        lambda: [a for a in find(agent, name) if a["state"] == "firing"], what=f"{name} firing"
    )[0]


def over(agent, name):
    wait_for(lambda: not find(agent, name), f"{name} over")
    return find(agent, name, "history")[0]


def crashes(agent, comm):
    """The alerts of processes of this name, read anew."""
    return find(agent, "ProcessCrash", query=f"?matcher=comm%3D{comm}")


def at(text):
    return datetime.fromisoformat(text)


def state_rows(agent):
    """The alerts' state on the disk: (place, list, text) as store/document_rows.h has it."""
    path = agent.directory / "state" / "outbox.sqlite"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=DEADLINE_SECONDS)) as database:
        try:
            return list(database.execute("SELECT place, list, CAST(text AS TEXT) FROM document ORDER BY place"))
        except sqlite3.OperationalError:  # the agent is about to make it
            return []


def saved_list(agent, name):
    return [json.loads(text) for _, rows, text in state_rows(agent) if rows == name]


def change_state(agent, change):
    """Of an agent that does not run: `change` gets each row's list and document."""
    path = agent.directory / "state" / "outbox.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        for place, rows, text in state_rows(agent):
            document = json.loads(text)
            change(rows, document)
            text = json.dumps(document, separators=(",", ":")).encode()
            database.execute("UPDATE document SET text = ? WHERE place = ?", (text, place))
        database.commit()


def saved(agent, *texts):
    """Whether the alerts' state on the disk holds all of these."""
    state = "\n".join(f"{rows}:{text}" for _, rows, text in state_rows(agent))
    return all(text in state for text in texts)


# The timer's ticks are few, and those of what happens stand out.
SELDOM = {"overhead": {"sample_interval_ms": 2000}}


class Ticks:
    """Tells the ticks that something happened for from those of the timer, however busy the machine is."""

    def __init__(self, agent):
        self.agent = agent
        self.interval_seconds = agent.config["overhead"]["sample_interval_ms"] / 1000
        self.began = time.monotonic()
        self.first = self.count()

    def count(self):
        return self.agent.metric("moonwatch_ticks_total")

    def of_timer(self):
        """How many it can have made at the most: a late one at the beginning among them."""
        return (time.monotonic() - self.began) / self.interval_seconds + 2

    def beyond_timer(self):
        ticked = self.count() - self.first
        return ticked > self.of_timer()


def cli(agent, *arguments):
    return subprocess.run(
        [str(BINARY), "alert", *arguments, "--url", agent.url],
        env={**agent.environment, "SUDO_USER": "otto"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


def crash(name):
    """Ends a process of this name by SIGSEGV; the time just before, by its own clock: whoever reads
    the clock after the child has spoken may do so after the agent has heard of its death."""
    code = f"import ctypes,os,signal,time; ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0); "
    code += "print(time.time(), flush=True); os.kill(os.getpid(), signal.SIGSEGV)"
    run = subprocess.run(["python3", "-S", "-c", code], stdout=subprocess.PIPE, text=True, timeout=DEADLINE_SECONDS)
    assert run.returncode == -signal.SIGSEGV
    return datetime.fromtimestamp(float(run.stdout), timezone.utc)


class Receiver:
    """A webhook that keeps what it gets, with what it answered."""

    def __init__(self):
        self.got = []
        self.status = 200
        self.on_post = lambda body: None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body, answer = json.loads(body), outer.status
                outer.on_post(body)
                outer.got.append((answer, self.headers["Idempotency-Key"], body))
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, status, comm=None):
        return [
            (answer, key)
            for answer, key, body in self.got
            for alert in body["alerts"]
            if alert["status"] == status and comm in (None, alert["labels"].get("comm"))
        ]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def told_at_once(receiver, **channel):
    return {
        "channels": [{"name": "hook", "type": "webhook", "url": receiver.url, "timeout": 60, **channel}],
        "routes": [{"channels": ["hook"], "group_by": ["alertname", "comm"], "group_wait": 0, "group_interval": 1}],
    }
