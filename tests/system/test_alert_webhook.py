"""From an event to a webhook: at once, once, and in spite of a kill."""

import signal

from alerting import ALWAYS, CRASH, act, cli, crash, firing, receiver, start, told_at_once
from conftest import wait_for


def test_a_crash_is_told_at_once(start, receiver):
    agent = start(CRASH, **told_at_once(receiver))
    late = []
    for i in range(8):
        before = crash(f"mwtold{i}")
        wait_for(lambda: receiver.of("firing", f"mwtold{i}"), what="the notification")
        late.append((receiver.of("firing", f"mwtold{i}")[0][0] - before).total_seconds())
    # A tick a second apart would make the median half a second.
    assert sorted(late)[len(late) // 2] < 0.25, late
    wait_for(lambda: len(receiver.of("resolved")) == 8, what="the resolved notices")
    agent.next_tick()
    assert agent.metric("moonwatch_notify_sent_total", channel="hook") == len(receiver.got)
    assert agent.metric("moonwatch_notify_latency_seconds_count", channel="hook") == len(receiver.got)
    assert agent.metric("moonwatch_notify_state", channel="hook", state="ok") == 1
    assert agent.metric("moonwatch_outbox_stored_total") == len(receiver.got)
    assert agent.metric("moonwatch_alert_notifications_total", kind="firing") >= 8
    assert len({key for _, key, _ in receiver.got}) == len(receiver.got)


def test_a_channel_that_fails_is_seen(start, receiver):
    receiver.status = 503
    agent = start(ALWAYS, **told_at_once(receiver))
    firing(agent, "Always")
    (channel,) = wait_for(
        lambda: [c for c in agent.json("/alerts")["channels"] if c["state"] != "ok"], what="a failing channel"
    )
    assert channel["name"] == "hook" and channel["queued"] == 1 and "503" in channel["error"]
    listed = cli(agent, "list").stdout
    assert "CHANNEL hook is " in listed and "503" in listed
    receiver.status = 200
    wait_for(lambda: agent.json("/alerts")["channels"][0]["state"] == "ok", what="delivery")
    assert agent.json("/alerts")["channels"][0]["queued"] == 0
    assert len({key for _, key, _ in receiver.got}) == 1


def test_what_a_killed_agent_said_is_told_and_then_resolved(start, receiver):
    """Killed between the alert and its delivery: told by the next, with the same key, and only once."""
    receiver.status = 503
    rule = {**CRASH, "keep_firing_for": 5}
    agent = start(rule, **told_at_once(receiver))
    crash("mwkilled")
    wait_for(lambda: receiver.of("firing", "mwkilled"), what="an attempt")
    key = receiver.of("firing", "mwkilled")[0][1]
    agent.next_tick()
    agent.stop(signal.SIGKILL)
    receiver.got.clear()
    receiver.status = 200
    agent.start()
    wait_for(lambda: receiver.of("resolved", "mwkilled"), what="the resolved notice")
    assert [k for _, k in receiver.of("firing", "mwkilled")] == [key]
    assert agent.metric("moonwatch_outbox_recovered_total") == 1


def test_a_silenced_alert_is_not_told(start, receiver):
    agent = start(CRASH, **told_at_once(receiver))
    assert act(agent, "/admin/silences", {"matchers": "comm=mwquiet", "duration_seconds": 600})[0] == 200
    crash("mwquiet")
    crash("mwloud")
    wait_for(lambda: receiver.of("resolved", "mwloud"), what="the other one's end")
    assert not receiver.of("firing", "mwquiet")
