"""From an event to a webhook: at once, once, and in spite of a kill."""

import signal

from alerting import (
    ALWAYS, CRASH, act, at, cli, crash, firing, ours, receiver, reload, saved, start, told_at_once, with_rules,
)
from conftest import wait_for


def test_a_crash_is_told_at_once(start, receiver):
    """How fast that is, scripts/bench.sh measures; here no tick comes between the alert and the webhook."""
    agent = start(CRASH, **told_at_once(receiver))
    names, ticks = [], {}

    def note_tick(body):
        """When the last tick was, by the agent's clock, while it waits for the answer."""
        for alert in body["alerts"]:
            if alert["status"] == "firing":
                ticks[alert["labels"]["comm"]] = at(agent.json("/health")["ts"]), at(alert["startsAt"])

    receiver.on_post = note_tick

    def told_in_its_tick():
        name = ours(f"told{len(names)}")
        names.append(name)
        crash(name)
        wait_for(lambda: receiver.of("firing", name), what="the notification")
        last_tick, alerts_tick = ticks[name]
        assert last_tick >= alerts_tick
        return last_tick == alerts_tick

    # On a busy machine another may come first; if it had to, it always would.
    wait_for(told_in_its_tick, what="a notification before the next tick")
    while len(names) < 8:
        told_in_its_tick()
    wait_for(lambda: all(receiver.of("resolved", name) for name in names), what="the resolved notices")
    wait_for(lambda: agent.metric("moonwatch_notify_sent_total", channel="hook") == len(receiver.got), "its count")
    assert agent.metric("moonwatch_notify_latency_seconds_count", channel="hook") == len(receiver.got)
    assert agent.metric("moonwatch_notify_state", channel="hook", state="ok") == 1
    assert agent.metric("moonwatch_outbox_stored_total") == len(receiver.got)
    assert agent.metric("moonwatch_alert_notifications_total", kind="firing") >= len(names)
    assert len({key for _, key, _ in receiver.got}) == len(receiver.got)


def test_with_nothing_but_a_webhook_a_crash_is_told_at_once(start, receiver):
    """No route: what is quiet waits for nothing, and what follows is of the same tick too until it is many."""
    start({**CRASH, "severity": "warning", "keep_firing_for": 600},
          channels=[{"name": "hook", "type": "webhook", "url": receiver.url, "timeout": 60}])
    for name in ours("first"), ours("second"):
        crash(name)
        wait_for(lambda: receiver.of("firing", name), what="the notification")
        (body,) = [body for _, _, body in receiver.got if body["alerts"][0]["labels"]["comm"] == name]
        assert body["ts"] == body["alerts"][0]["startsAt"]
        assert body["groupLabels"]["comm"] == name and "alertname" not in body["groupLabels"]


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
    channels = told_at_once(receiver)
    agent = start({**CRASH, "keep_firing_for": 600}, **channels)
    name = ours("killed")
    crash(name)
    wait_for(lambda: receiver.of("firing", name), what="an attempt")
    key = receiver.of("firing", name)[0][1]
    wait_for(lambda: saved(agent, name), what="the alert on the disk")
    agent.stop(signal.SIGKILL)
    receiver.status = 200
    agent.start()
    wait_for(lambda: (200, key) in receiver.of("firing", name), what="the notification")
    reload(agent, with_rules(**channels))
    wait_for(lambda: receiver.of("resolved", name), what="the resolved notice")
    assert [k for answer, k in receiver.of("firing", name) if answer == 200] == [key]
    assert agent.metric("moonwatch_outbox_recovered_total") == 1


def test_a_silenced_alert_is_not_told(start, receiver):
    agent = start(CRASH, **told_at_once(receiver))
    assert act(agent, "/admin/silences", {"matchers": f"comm={ours('quiet')}", "duration_seconds": 600})[0] == 200
    crash(ours("quiet"))
    crash(ours("loud"))
    wait_for(lambda: receiver.of("resolved", ours("loud")), what="the other one's end")
    assert not receiver.of("firing", ours("quiet"))
