"""What survives a restart and a kill, damaged state, and reloads with a mistake."""

import json
import signal
import subprocess
import time

import pytest
from alerting import (
    ALWAYS, CRASH, SELDOM, act, change_state, crash, crashes, find, firing, ours, over, receiver, saved, saved_list,
    start, told_at_once, with_rules,
)
from conftest import DEADLINE_SECONDS, wait_for


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_forgets_nothing(start, how):
    lasting, short = ours("lasting"), ours("short")
    agent = start(
        ALWAYS,
        {**ALWAYS, "name": "Slow", "for": 4},
        {**CRASH, "keep_firing_for": 600, "severity": "error"},
        {"name": "Short", "kind": "event", "event": "crash", "keep_firing_for": 0, "match": {"comm": short}},
    )
    crash(lasting)
    crash(short)
    alert = firing(agent, "Always")
    (crashed,) = wait_for(lambda: crashes(agent, lasting), what="the crash")
    past = wait_for(lambda: find(agent, "Short", "history"), what="the end of the other")[0]
    assert act(agent, f"/admin/alerts/{alert['id']}/ack", {"by": "otto", "comment": "on it"})[0] == 200
    status, answer = act(agent, "/admin/silences", {"matchers": f"comm={lasting}", "duration_seconds": 600})
    assert status == 200
    silence = answer["silences"][0]
    wait_for(lambda: saved(agent, "on it", "silences:{"), what="all of it on the disk")
    agent.stop(how)
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    after = firing(agent, "Always")
    assert (after["id"], after["starts_at"]) == (alert["id"], alert["starts_at"])
    assert (after["acked_by"], after["ack_comment"]) == ("otto", "on it")
    assert agent.json("/silences")["silences"] == [{**silence, "active": True}]
    (kept,) = crashes(agent, lasting)
    assert kept["starts_at"] == crashed["starts_at"] and kept["suppressed_by"] == "silence"
    assert [a["starts_at"] for a in find(agent, "Short", "history")] == [past["starts_at"]]
    firing(agent, "Slow")
    assert act(agent, "/admin/silences", {"matchers": "a=b", "duration_seconds": 9})[1]["silences"][0]["id"] == "s2"
    # What fired already does not begin to fire once more; Slow may have done so before.
    agent.next_tick()
    assert agent.metric("moonwatch_alerts_fired_total") <= 1


def test_what_a_receiver_was_told_is_resolved_after_a_kill(start, receiver):
    """Killed when the receiver has the message: the state on the disk may be older than that."""
    agent = start({**CRASH, "severity": "critical"}, **told_at_once(receiver))
    killed = []

    def kill(body):
        if len(killed) < len(names) and any(a["status"] == "firing" for a in body["alerts"]):
            killed.append(True)
            agent.stop(signal.SIGKILL)

    names = [ours(f"told{i}") for i in range(6)]
    for done, name in enumerate(names, 1):
        receiver.on_post = kill
        crash(name)
        wait_for(lambda: len(killed) == done, what="a kill")
        receiver.on_post = lambda body: None
        wait_for(lambda: agent.process.poll() is not None, what="its end")
        agent.start()
        wait_for(lambda: receiver.of("resolved", name), what="the resolution")


# Ends processes of these names one right after the other, then signals the agent: some crashes are judged by
# then, some are only logged, some are still in the ring buffer.
BURST = """
import ctypes, os, signal, sys
for name in sys.argv[3:]:
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSEGV)
    os.waitpid(child, 0)
os.kill(int(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_the_log_says_is_told_once(start, receiver, how):
    rule = {**CRASH, "keep_firing_for": 600}
    agent = start(rule, **told_at_once(receiver), max_alerts_per_hour=1000, cooldown_period=0)
    names = [ours(f"b{i:02}") for i in range(18)]
    for i in range(0, len(names), 6):
        burst = ["python3", "-S", "-c", BURST, str(agent.process.pid), str(how.value), *names[i : i + 6]]
        subprocess.run(burst, check=True, timeout=DEADLINE_SECONDS)
        agent.process.wait(DEADLINE_SECONDS)
        agent.start()
    said = {e["comm"] for e in agent.events() if e.get("msg") == "Process crashed"} & set(names)
    wait_for(lambda: all(receiver.of("firing", name) for name in said), what=f"what was logged of {len(said)}")
    for name in said:
        assert len({key for _, key in receiver.of("firing", name)}) == 1


def test_what_was_answered_is_on_the_disk_at_once(start):
    """Without a tick, one act after the other."""
    agent = start(ALWAYS, more=SELDOM)
    made = []

    def ticks_until_saved():
        made.append(f"made{len(made)}.")
        before = agent.metric("moonwatch_ticks_total")
        assert act(agent, "/admin/silences", {"matchers": f"n={made[-1]}", "duration_seconds": 600})[0] == 200
        wait_for(lambda: saved(agent, made[-1]), what="the silence on the disk")
        return agent.metric("moonwatch_ticks_total") - before

    # A tick may come in between, on a busy machine more often; if one had to, it would each time.
    wait_for(lambda: [ticks_until_saved() for _ in range(3)] == [0, 0, 0], "three without a tick")


@pytest.mark.parametrize("hours_away, state", [(0, "firing"), (2, "pending")])
def test_pending_goes_on_where_it_was(start, hours_away, state):
    """But not when nobody looked for a while."""
    agent = start({**ALWAYS, "name": "Slow", "for": 7200})
    wait_for(lambda: find(agent, "Slow"), what="pending")
    wait_for(lambda: saved(agent, "Slow"), what="that on the disk")
    agent.stop(signal.SIGKILL)

    def change(rows, document):
        if rows == "alerts" and document["labels"]["alertname"] == "Slow":
            document["active_since"] += 7200 * 10**9
        if rows == "" and hours_away:
            document["boot_id"] = "of another boot"
            document["realtime_ns"] = str(int(document["realtime_ns"]) - hours_away * 3600 * 10**9)

    change_state(agent, change)
    agent.start()
    wait_for(lambda: [a["state"] for a in find(agent, "Slow")] == [state], what=state)


@pytest.mark.parametrize("content", [b"{", b"\0" * 100, b'{"version": 99}', b"[]", b"", b'{"version":1,"alerts":7}'])
def test_a_damaged_state_is_moved_aside(start, make_agent, content):
    agent = make_agent(config=with_rules(ALWAYS))
    state = agent.directory / "state"
    state.mkdir()
    (state / "alerts.json").write_bytes(content)
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    firing(agent, "Always")
    said = [e for e in agent.events() if "damaged" in str(e.get("msg"))]
    if content.endswith(b"7}"):  # a document of ours, from which what makes sense is taken
        assert not said
        return
    assert len(said) == 1 and said[0]["level"] == "ERROR", said
    assert (state / "alerts.json.damaged").read_bytes() == content
    wait_for(lambda: saved(agent, "Always"), what="a new state")
    assert saved_list(agent, "alerts")
    assert not (state / "alerts.json").exists()


def test_the_state_of_an_older_version_is_taken_over(make_agent):
    """Which wrote a document; it is read once."""
    agent = make_agent(config=with_rules(ALWAYS))
    state = agent.directory / "state"
    state.mkdir()
    age = 500 * 10**9
    alert = {"labels": {"alertname": "Always"}, "kind": "threshold", "state": 1, "severity": 2, "value": 5,
             "active_since": age, "last_active": 0, "last_seen": 0, "fired_at": age, "starts": "1700000000000000000",
             "episode": 1}
    silence = {"number": "7", "matchers": "comm=x", "creator": "otto", "comment": "", "end": str(2**63)}
    (state / "alerts.json").write_text(json.dumps(
        {"version": 1, "monotonic_ns": str(time.monotonic_ns()), "realtime_ns": str(time.time_ns()),
         "alerts": [alert], "silences": [silence]}))
    agent.start()
    assert agent.wait_log(lambda e: e.get("msg") == "Alerts go on where they were")["silences"] == 1
    assert firing(agent, "Always")["starts_at"].startswith("2023-11-14T")
    wait_for(lambda: not (state / "alerts.json").exists(), what="the state in the outbox")
    assert [s["number"] for s in saved_list(agent, "silences")] == ["7"]
    agent.stop(signal.SIGKILL)
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    assert firing(agent, "Always")["starts_at"].startswith("2023-11-14T")
    assert len(agent.json("/silences")["silences"]) == 1


def test_no_link_in_the_state_directory_is_followed(make_agent, receiver, tmp_path):
    agent = make_agent(config=with_rules({**CRASH, "keep_firing_for": 600}, **told_at_once(receiver)))
    state, names = agent.directory / "state", ("alerts.json", "outbox.sqlite")
    state.mkdir()
    for name in names:
        (tmp_path / name).write_text("of somebody else")
        (state / name).symlink_to(tmp_path / name)
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    crash(ours("linked"))
    wait_for(lambda: receiver.of("firing", ours("linked")), what="the notification all the same")
    for msg in "The saved alerts cannot be read, beginning anew", "Notifications are sent without being kept on the disk first":
        line = agent.wait_log(lambda e: e.get("msg") == msg)
        assert line["level"] == "ERROR" and "symbolic link, which is not followed" in line["error"]
    line = agent.wait_log(lambda e: e.get("msg") == "The alerts cannot be saved")
    assert "symbolic link, which is not followed" in line["error"]
    agent.stop(signal.SIGTERM)
    assert [(tmp_path / name).read_text() for name in names] == ["of somebody else"] * 2


def test_an_outbox_that_somebody_removed_keeps_what_is_told(start, receiver):
    agent = start({**CRASH, "keep_firing_for": 600}, **told_at_once(receiver))
    crash(ours("before"))
    wait_for(lambda: receiver.of("firing", ours("before")), what="a notification")
    for path in (agent.directory / "state").glob("outbox.sqlite*"):
        path.unlink()
    receiver.status = 503
    crash(ours("after"))
    wait_for(lambda: receiver.of("firing", ours("after")), what="an attempt")
    agent.stop(signal.SIGKILL)
    receiver.status = 200
    agent.start()
    wait_for(lambda: 200 in [answer for answer, _ in receiver.of("firing", ours("after"))], what="delivery by the next")
    assert len({key for _, key in receiver.of("firing", ours("after"))}) == 1


def test_a_state_that_cannot_be_written_is_said_once(make_agent):
    agent = make_agent(config=with_rules(ALWAYS))
    (agent.directory / "state").write_text("not a directory")
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    assert firing(agent, "Always")
    wait_for(lambda: agent.metric("moonwatch_alert_state_write_failures_total") >= 2, what="a second failure")
    agent.wait_log(lambda e: e.get("msg") == "The alerts cannot be saved")
    said = [e for e in agent.events() if e.get("msg") == "The alerts cannot be saved"]
    assert len(said) == 1 and "outbox.sqlite: unable to open database file" in said[0]["error"]


def test_a_reload_with_a_mistake_leaves_the_old_rules(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    bad = {**ALWAYS, "name": "Bad", "matchers": ["x"]}
    agent.write_config({**agent.config, **with_rules(bad)})
    status, answer = act(agent, "/admin/reload")
    assert status == 422 and "/alert_manager/rules/" in answer["error"]["message"]
    agent.process.send_signal(signal.SIGHUP)
    agent.wait_log(lambda e: e.get("msg") == "Configuration rejected, the old one stays")
    agent.next_tick()
    assert firing(agent, "Always")["starts_at"] == alert["starts_at"]
    agent.write_config({**agent.config, **with_rules({**ALWAYS, "name": "Other"})})
    agent.process.send_signal(signal.SIGHUP)
    firing(agent, "Other")
    over(agent, "Always")


def test_the_agent_does_not_start_with_a_mistake(make_agent):
    agent = make_agent(config=with_rules({**ALWAYS, "summary": "{{ $labels.nonsense }}"}))
    code, lines = agent.run_to_end()
    assert code == 2 and "/alert_manager/rules/" in lines[0] and "nonsense" in lines[0]
