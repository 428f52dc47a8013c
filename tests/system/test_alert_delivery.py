"""Notifications of a running agent: to Debian's Alertmanager, to a mail server, to webhooks that fail, and
across kill -9."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import signal
import subprocess
from datetime import datetime, timezone

import pytest
from alerting import ALWAYS, at, firing, reload, saved, with_rules
from conftest import BINARY, DEADLINE_SECONDS, ROOT, wait_for, wait_until
from receivers import Alertmanager, MailServer, Webhook

AT_ONCE = {"group_by": ["alertname"], "group_wait": 0, "group_interval": 1}
SOON = {"base_delay": 0.05, "max_delay": 0.5}
# An attempt that a busy machine ends would be made twice.
PATIENT = {"timeout": 60, "retry": SOON, "breaker": {"failure_threshold": 1000}}


def to(channels, *rules):
    """Each alert to all of the channels, at once."""
    routes = [{**AT_ONCE, "channels": [c["name"] for c in channels]}]
    return with_rules(*rules, channels=channels, routes=routes, max_alerts_per_hour=1000, cooldown_period=0)


def channel(agent, name="hook", peer=None):
    """Read anew: a page without a query is that of the last tick."""
    channels = agent.json("/alerts?limit=1")["channels"]
    (found,) = [c for c in channels if c["name"] == name and peer in (c["peer"], None)]
    return found


def channel_with(agent, name="hook", peer=None, **figures):
    """The channel once it has these figures."""
    return wait_until(
        lambda: channel(agent, name, peer), lambda c: figures.items() <= c.items(), f"{name} with {figures}"
    )


@pytest.fixture
def webhook():
    receiver = Webhook()
    yield receiver
    receiver.close()


@pytest.fixture
def alertmanager(tmp_path):
    started = []

    def start(resolve_timeout):
        started.append(Alertmanager(tmp_path / f"alertmanager{len(started)}", resolve_timeout))
        wait_for(started[-1].ready, what="Alertmanager ready")
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_alertmanager_is_told_reminded_and_resolved(make_agent, alertmanager):
    """Without reminders Alertmanager would end the alert after its resolve_timeout."""
    am = alertmanager(resolve_timeout=3)
    channels = [{"name": "am", "type": "alertmanager", "urls": am.url + "/", "resend_interval": 1, **PATIENT}]
    also = {**ALWAYS, "name": "Also", "severity": "critical", "labels": {"team": "web"}, "summary": "so {{ $value }}"}
    agent = make_agent(config=to(channels, ALWAYS, also)).start()
    wait_for(lambda: "Always" in am.active(), what="an alert in Alertmanager")
    alert = wait_for(lambda: am.active().get("Also"), what="the other one")
    assert alert["labels"]["team"] == "web" and alert["labels"]["severity"] == "critical"
    assert alert["labels"]["instance"] and alert["annotations"]["summary"].startswith("so ")
    wait_for(
        lambda: {g["labels"]["alertname"] for g in am.get("/api/v2/alerts/groups")} >= {"Always", "Also"},
        what="their groups",
    )
    again = wait_for(
        lambda: datetime.now(timezone.utc) > at(alert["endsAt"]) and am.active().get("Also"),
        what="the alert after its end",
    )
    assert again["startsAt"] == alert["startsAt"]
    wait_for(lambda: agent.metric("moonwatch_notify_heartbeats_total") >= 1, what="the count of reminders")
    # An Alertmanager that forgot everything is told again; what ends there from now on, the agent ended.
    am.kill()
    subprocess.run(["rm", "-r", str(am.directory / "data")], check=True)
    am.start(resolve_timeout=3600)
    wait_for(am.ready, what="Alertmanager ready")
    wait_for(lambda: {"Always", "Also"} <= set(am.active()), what="both alerts after its restart")
    # So is one whose sender was killed.
    agent.stop(signal.SIGKILL)
    agent.start()
    wait_for(lambda: {"Always", "Also"} <= set(am.active()), what="both alerts after the agent's restart")
    firing(agent, "Always")
    reload(agent, to(channels, ALWAYS))
    wait_for(lambda: set(am.active()) == {"Always"}, "the end of one")
    channel_with(agent, "am", state="ok")


def test_a_dead_peer_of_alertmanager_keeps_nothing_from_the_other(make_agent, alertmanager):
    am, dead = alertmanager(resolve_timeout=60), alertmanager(resolve_timeout=60)
    dead.kill()
    channels = [{"name": "am", "type": "alertmanager", "urls": [dead.url, am.url], "retry": SOON,
                 "breaker": {"recovery_timeout": 0.5}}]
    agent = make_agent(config=to(channels, ALWAYS)).start()
    wait_for(lambda: "Always" in am.active(), what="the alert at the peer that lives")
    opened = channel_with(agent, "am", dead.url, state="open")
    assert str(dead.port) in opened["error"]
    channel_with(agent, "am", am.url, state="ok")
    dead.start(resolve_timeout=60)
    wait_for(dead.ready, what="the dead one ready")
    wait_for(lambda: "Always" in dead.active(), what="the alert there too")
    channel_with(agent, "am", dead.url, queued=0)


def test_the_example_for_alertmanager_is_one():
    path = ROOT / "config" / "alertmanager.yml"
    subprocess.run(["amtool", "check-config", path], check=True, capture_output=True)

    def receiver(*labels):
        route = ["amtool", "config", "routes", "test", f"--config.file={path}", *labels]
        return subprocess.run(route, check=True, capture_output=True, text=True).stdout.strip()

    assert receiver("alertname=OomKill", "severity=critical", "instance=web1") == "oncall"
    assert receiver("alertname=HostDisk", "severity=warning", "instance=web1") == "team"


def verify(request, secret):
    """As the specification of Standard Webhooks says."""
    headers = request["headers"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request["body"]
    digest = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == "v1," + digest


@pytest.mark.parametrize("fault", ["error", "hang", "reset", "garbage", "throttle"])
def test_a_webhook_that_fails_gets_it_once_it_works(make_agent, webhook, tmp_path, fault):
    secret = tmp_path / "secret"
    secret.write_text("the key\n")
    webhook.behaviour = fault
    channels = [{"name": "hook", "type": "webhook", "url": webhook.url, "secret_file": str(secret), **PATIENT}]
    if fault == "hang":
        channels[0]["timeout"] = 0.5
    agent = make_agent(config=to(channels, ALWAYS)).start()
    wait_for(lambda: len(webhook.requests) >= 2, what="a second attempt")
    failing = channel_with(agent, state="failing", queued=1)
    assert failing["error"] and failing["failed_total"] >= 1
    wait_for(lambda: agent.metric("moonwatch_notify_failed_total", channel="hook") >= 1, what="its count")
    webhook.behaviour = "ok"
    wait_for(lambda: "Always" in webhook.alerts("firing"), what="delivery")
    assert len({r["headers"]["idempotency-key"] for r in webhook.requests}) == 1
    assert len({r["body"] for r in webhook.requests}) == 1
    for request in webhook.requests:
        verify(request, b"the key")
    if fault == "throttle":
        # Each comes a second, which was asked for, after the answer to the one before.
        times = [r["at"] for r in webhook.requests]
        assert all(later - earlier >= 0.95 for earlier, later in zip(times, times[1:])), times
    channel_with(agent, state="ok", queued=0, dropped_total=0)
    reload(agent, to(channels))
    wait_for(lambda: "Always" in webhook.alerts("resolved"), what="the resolution")


def test_a_hanging_channel_delays_no_other(make_agent, webhook):
    dead = Webhook()
    dead.behaviour = "hang"
    channels = [{"name": "dead", "type": "webhook", "url": dead.url, "timeout": 300},
                {"name": "hook", "type": "webhook", "url": webhook.url}]
    agent = make_agent(config=to(channels, ALWAYS)).start()
    wait_for(lambda: dead.requests, what="a request at the dead one")
    wait_for(lambda: "Always" in webhook.alerts("firing"), "delivery by the other")
    channel_with(agent, queued=0)
    # It hangs for longer than any wait of the tests.
    assert channel(agent, "dead")["queued"] == 1 and len(dead.requests) == 1
    dead.close()


STEPS = ["refused", "hang", "taken", "answered"]


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost_by_kill(make_agent, webhook, step):
    """The agent is killed while the receiver is down, has the request, has taken it, has answered: what is
    not known to be delivered comes again with the same key."""
    channels = [{"name": "hook", "type": "webhook", "url": webhook.url, **PATIENT}]
    rules = [{**ALWAYS, "name": f"A{i}"} for i in range(5)]
    names = {rule["name"] for rule in rules}
    agent = make_agent(config=to(channels, *rules))
    webhook.behaviour = "error"
    killed = []

    def kill(request):
        if not killed and step != "answered" and request["behaviour"] == behaviour:
            killed.append(True)
            agent.stop(signal.SIGKILL)

    agent.start()
    # An agent that forgot that they fire would say it anew.
    wait_for(lambda: webhook.requests and saved(agent, *names), what="what fires on the disk")
    behaviour = {"refused": "reset", "hang": "hang"}.get(step, "ok")
    webhook.on_request = kill
    webhook.behaviour = behaviour
    if step == "answered":
        wait_for(lambda: webhook.alerts("firing") and webhook.requests[-1].get("answered"), what="an answer")
        agent.stop(signal.SIGKILL)
    else:
        wait_for(lambda: killed and agent.process.poll() is not None, what="the kill")
    webhook.behaviour = "ok"
    agent.start()
    wait_for(lambda: names <= set(webhook.alerts("firing")), what="every alert delivered")
    channel_with(agent, queued=0)
    assert all(r["headers"]["idempotency-key"] == json.loads(r["body"])["key"] for r in webhook.requests)
    for name in names:
        keys = {b["key"] for b in webhook.bodies() for a in b["alerts"] if a["labels"]["alertname"] == name}
        assert len(keys) == 1, (name, keys)


def certificate_of(directory, name):
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    return certificate, key


@pytest.fixture
def mail_server(tmp_path):
    started = []

    def start(**options):
        started.append(MailServer(tmp_path / f"mails{len(started)}", **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def mails(server):
    """[(about, message)] as far as the server took them."""
    return [
        (json.loads(path.read_text()),
         email.message_from_bytes(path.with_suffix(".eml").read_bytes(), policy=email.policy.default))
        for path in sorted(server.mails.glob("*.json"))
    ]


def test_a_mail_arrives_over_starttls_with_a_login(make_agent, mail_server, tmp_path):
    certificate, key = certificate_of(tmp_path, "server")
    other, _ = certificate_of(tmp_path, "other")
    password = tmp_path / "password"
    password.write_text("wrong\n")
    server = mail_server(certificate=certificate, key=key, user="agent", password="right")
    mail = {"name": "mail", "type": "email", "smtp": f"localhost:{server.port}", "from": "agent@example.org",
            "to": ["ops@example.org", "gone@example.org"], "username": "agent", "password_file": str(password),
            "ca_file": str(other), **PATIENT}
    rule = {**ALWAYS, "summary": "K\u00e4se {{ $value }}", "severity": "critical"}
    agent = make_agent(config=to([mail], rule)).start()
    refused = channel_with(agent, "mail", state="misconfigured")
    assert "certificate" in refused["error"].lower(), refused
    mail["ca_file"] = str(certificate)
    reload(agent, to([mail], rule))
    refused = wait_until(
        lambda: channel(agent, "mail"), lambda c: "535 5.7.8" in (c["error"] or ""), "the login refused"
    )
    assert refused["state"] == "misconfigured" and refused["dropped_total"] == 0
    # Read at each attempt: no reload.
    password.write_text("right\n")
    wait_for(lambda: mails(server), what="a mail")
    ((about, message),) = mails(server)
    assert about == {"from": "agent@example.org", "to": ["ops@example.org"], "tls": True, "login": "agent"}
    assert "CRITICAL" in message["Subject"] and "Always: K\u00e4se" in message["Subject"]
    assert message["To"] == "ops@example.org, gone@example.org"
    plain, html = message.iter_parts()
    assert "FIRING: Always (critical)" in plain.get_content() and "K\u00e4se" in html.get_content()
    # Delivered, and it says who was not.
    said = channel_with(agent, "mail", sent_total=1)
    assert "1 recipient is refused: 550" in said["error"], said
    mail["to"] = "ops@example.org"
    reload(agent, to([mail]))
    wait_for(lambda: len(mails(server)) == 2, what="the resolution")
    resolved = mails(server)[1][1]
    assert "RESOLVED" in resolved["Subject"] and resolved["References"] == message["References"]
    assert resolved["Message-ID"] != message["Message-ID"]
    channel_with(agent, "mail", state="ok")


def test_a_mail_over_tls_from_the_start(make_agent, mail_server, tmp_path):
    certificate, key = certificate_of(tmp_path, "server")
    (tmp_path / "password").write_text("right\n")
    server = mail_server(certificate=certificate, key=key, user="agent", password="right", implicit=True)
    mail = {"name": "mail", "type": "email", "smtp": f"localhost:{server.port}", "from": "agent@example.org",
            "to": "ops@example.org", "tls": "implicit", "ca_file": str(certificate), "username": "agent",
            "password_file": str(tmp_path / "password"), **PATIENT}
    agent = make_agent(config=to([mail], ALWAYS)).start()
    wait_for(lambda: mails(server), what="a mail")
    assert mails(server)[0][0]["login"] == "agent"
    channel_with(agent, "mail", state="ok")


def test_without_starttls_no_mail_is_sent(make_agent, mail_server):
    server = mail_server()
    mail = {"name": "mail", "type": "email", "smtp": f"127.0.0.1:{server.port}", "from": "agent@example.org",
            "to": "ops@example.org", **PATIENT}
    agent = make_agent(config=to([mail], ALWAYS)).start()
    channel_with(agent, "mail", state="misconfigured")
    assert not mails(server)
    mail["tls"] = "none"
    reload(agent, to([mail], ALWAYS))
    wait_for(lambda: mails(server), what="a mail in the clear")
    assert mails(server)[0][0]["tls"] is False


def test_what_refuses_the_content_is_told_the_next(make_agent, webhook):
    webhook.behaviour = "refuse"
    channels = [{"name": "hook", "type": "webhook", "url": webhook.url, **PATIENT}]
    agent = make_agent(config=to(channels, ALWAYS)).start()
    assert "invalid_payload" in channel_with(agent, dropped_total=1)["error"]
    given_up = agent.wait_log(lambda e: e.get("msg") == "Notification given up")
    assert given_up["level"] == "ERROR" and given_up["channel"] == "hook" and "400" in given_up["reason"]
    webhook.behaviour = "ok"
    reload(agent, to(channels, ALWAYS, {**ALWAYS, "name": "Next"}))
    wait_for(lambda: "Next" in webhook.alerts("firing"), what="the next message")


def test_the_log_is_a_channel(make_agent):
    agent = make_agent(config=to([{"name": "log", "type": "log"}], ALWAYS)).start()
    line = agent.wait_log(lambda e: e.get("msg") == "Alert fires")
    assert line["level"] == "ERROR" and line["alert"] == "Always" and line["logger"] == "alert_manager"
    assert line["value"] > 1 and "alertname=Always" in line["labels"]
    channel_with(agent, "log", sent_total=1)


def test_secrets_that_are_missing_may_come_later(make_agent, tmp_path):
    """`check` and the start say the same, and neither refuses it."""
    chat = {"name": "chat", "type": "slack", "url_file": str(tmp_path / "none")}
    check = {"type": "redis", "url": "redis://127.0.0.1:1", "password_file": str(tmp_path / "gone")}
    service = {"name": "cache", "kind": "cache", "match": {"comm": "nobody"}, "check": check}
    config = {"alert_manager": {"channels": [chat]}, "services": [service]}
    path = tmp_path / "checked.json"
    path.write_text(json.dumps(config))
    run = subprocess.run([BINARY, "check", path], capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    said = [
        f"/alert_manager/channels/0/url_file: warning: {tmp_path}/none: No such file",
        f"/services/0/check/password_file: warning: {tmp_path}/gone: No such file",
    ]
    assert run.returncode == 0, run.stderr
    assert [line.split(" or directory")[0] for line in run.stderr.splitlines()] == [f"{path}: {s}" for s in said]
    agent = make_agent(config=config).start()
    for text in ("none: No such file", "gone: No such file"):
        agent.wait_log(lambda e: e["level"] == "WARNING" and f"{tmp_path}/{text}" in str(e))


def test_a_test_notification_says_what_became_of_it(tmp_path, webhook):
    """Of the one channel that was named; what the receiver says is what is reported."""
    path = tmp_path / "monitoring.json"
    channels = [
        {"name": "other", "type": "webhook", "url": "http://127.0.0.1:1/", "timeout": 1},
        {"name": "hook", "type": "webhook", "url": webhook.url, "timeout": 60},
        {"name": "chat", "type": "slack", "url_file": str(tmp_path / "none")},
        {"name": "log", "type": "log"},
    ]
    path.write_text(json.dumps({"alert_manager": {"channels": channels}}))

    def send(name):
        command = [str(BINARY), "alert", "send-test", name, "--config", str(path)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
        return run.returncode, run.stdout, run.stderr

    assert send("hook") == (0, "hook: sent\n", "")
    (body,) = webhook.bodies()
    assert [a["labels"]["alertname"] for a in body["alerts"]] == ["MoonwatchTest"]
    webhook.behaviour = "refuse"
    code, out, error = send("hook")
    assert (code, out) == (1, "") and "hook: not sent: " in error and "400" in error and "invalid_payload" in error
    code, out, error = send("chat")
    assert (code, out) == (1, "") and str(tmp_path / "none") in error and len(error.splitlines()) == 1
    code, out, error = send("log")
    assert (code, out) == (0, "log: sent\n") and "MoonwatchTest" in error
    code, out, error = send("pager")
    assert (code, out) == (2, "") and 'no channel "pager"' in error
    assert len(webhook.requests) == 2
