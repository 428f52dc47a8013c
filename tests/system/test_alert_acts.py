"""What an operator does about alerts, over HTTP and from the shell, and what is refused."""

import json
from datetime import datetime, timedelta, timezone

from alerting import ALWAYS, CRASH, act, at, cli, crash, find, firing, ours, start
from conftest import wait_for
from test_http import check_unknowns, openapi, validator


def test_answers_to_acts_are_as_described(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    document = openapi(agent)
    for path, body, method, template in (
        (f"/admin/alerts/{alert['id']}/ack", {"by": "x"}, "POST", "/admin/alerts/{id}/ack"),
        ("/admin/silences", {"matchers": ["a=b"], "duration_seconds": 9}, "POST", "/admin/silences"),
        ("/admin/silences/s1", None, "DELETE", "/admin/silences/{id}"),
    ):
        described = document["paths"][template][method.lower()]
        if body:
            schema = described["requestBody"]["content"]["application/json"]["schema"]
            validator(document, schema).validate(body)
        status, answer = act(agent, path, body, method)
        assert status == 200, answer
        schema = described["responses"]["200"]["content"]["application/json"]["schema"]
        validator(document, schema).validate(answer)
        check_unknowns(answer, path)


def test_ack_and_its_end(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    assert alert["acked_by"] is None
    status, answer = act(agent, f"/admin/alerts/{alert['id']}/ack", {"by": "otto", "comment": "on it"})
    assert status == 200 and (answer["acked_by"], answer["ack_comment"]) == ("otto", "on it")
    assert answer["acked_until"] is None
    again = firing(agent, "Always")
    assert again["acked_by"] == "otto"
    agent.next_tick()
    assert agent.metric("moonwatch_alerts_acked") == 1
    status, answer = act(agent, f"/admin/alerts/{alert['id']}/ack", {"duration_seconds": 2})
    assert status == 200 and answer["acked_by"] == ""
    # From the last tick before the act, which is none before the alert's.
    until = at(answer["acked_until"]) - timedelta(seconds=2)
    assert at(alert["starts_at"]) < until <= datetime.now(timezone.utc)
    wait_for(lambda: firing(agent, "Always")["acked_by"] is None, what="the end of the ack")


def test_what_does_not_fire_is_not_acked(start):
    soon = {**ALWAYS, "name": "Soon", "for": 3600}
    agent = start({**CRASH, "keep_firing_for": 0}, soon)
    pending = wait_for(lambda: find(agent, "Soon"), what="pending")[0]
    crash(ours("over"))
    past = wait_for(lambda: find(agent, "ProcessCrash", "history"), what="the end of the crash")[0]
    for alert in (pending, past):
        status, answer = act(agent, f"/admin/alerts/{alert['id']}/ack", {"by": "otto"})
        assert status == 422 and answer["error"]["code"] == "not_firing"
    assert cli(agent, "ack", past["id"]).returncode == 1


def test_silence_by_http(start):
    agent = start(ALWAYS)
    firing(agent, "Always")
    body = {"matchers": ["alertname=Always", 'severity=~"error|critical"'], "duration_seconds": 600,
            "creator": "otto", "comment": "known"}
    status, answer = act(agent, "/admin/silences", body)
    (silence,) = answer["silences"]
    assert status == 200 and silence["active"] and silence["creator"] == "otto"
    assert agent.json("/silences")["silences"] == [silence]
    wait_for(lambda: firing(agent, "Always")["suppressed_by"] == "silence", what="silence")
    agent.next_tick()
    assert agent.metric("moonwatch_silences") == 1
    assert agent.metric("moonwatch_alerts_suppressed_total", reason="silence") == 1
    assert act(agent, "/admin/silences", {"id": silence["id"]}, "DELETE")[0] == 200
    wait_for(lambda: firing(agent, "Always")["suppressed_by"] is None, what="noise")
    now = datetime.now(timezone.utc)
    spans = {"starts_at": (now + timedelta(hours=1)).isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat()}
    status, answer = act(agent, "/admin/silences", {"matchers": "a=b", **spans})
    assert status == 200 and not answer["silences"][0]["active"]
    assert at(answer["silences"][0]["ends_at"]) - at(answer["silences"][0]["starts_at"]) == timedelta(hours=1)
    assert act(agent, f"/admin/silences/{answer['silences'][0]['id']}", None, "DELETE")[0] == 200
    status, answer = act(agent, "/admin/silences", {"matchers": "alertname=Always", "duration_seconds": 1.5})
    assert status == 200
    wait_for(lambda: not agent.json("/silences")["silences"], what="its expiry")


BAD_REQUESTS = [
    ("/admin/alerts/0000000000000000/ack", "POST", None, 404, "GET /alerts"),
    ("/admin/alerts/x/ack", "POST", None, 404, "GET /alerts"),
    ("/admin/alerts/ID/ack", "POST", b"[]", 400, "JSON object"),
    ("/admin/alerts/ID/ack", "POST", b"{", 400, "JSON object"),
    ("/admin/alerts/ID/ack", "POST", b"{} x", 400, "JSON object"),
    ("/admin/alerts/ID/ack", "POST", b'{"by": "\xff"}', 400, "UTF-8"),
    ("/admin/alerts/ID/ack", "POST", {"by": 3}, 400, "by is not a string"),
    ("/admin/alerts/ID/ack", "POST", {"who": "x"}, 400, "by, comment, duration_seconds"),
    ("/admin/alerts/ID/ack", "POST", {"by": "x" * 257}, 400, "longer than 256"),
    ("/admin/alerts/ID/ack", "POST", {"duration_seconds": 0}, 400, "duration_seconds"),
    ("/admin/alerts/ID/ack", "POST", {"duration_seconds": 1e300}, 400, "duration_seconds"),
    ("/admin/silences", "POST", None, 400, "matchers is missing"),
    ("/admin/silences", "POST", {"matchers": [], "duration_seconds": 9}, 400, "matchers is missing"),
    ("/admin/silences", "POST", {"matchers": "x", "duration_seconds": 9}, 400, "no operator"),
    ("/admin/silences", "POST", {"matchers": "x=~[", "duration_seconds": 9}, 400, ""),
    ("/admin/silences", "POST", {"matchers": "x!=y", "duration_seconds": 9}, 400, "nearly everything"),
    ("/admin/silences", "POST", {"matchers": "x=y"}, 400, "exactly one of"),
    ("/admin/silences", "POST", {"matchers": "x=y", "ends_at": "2001-01-01T00:00:00Z"}, 400, "past"),
    ("/admin/silences", "POST", {"matchers": "x=y", "ends_at": "soon"}, 400, "no time"),
    ("/admin/silences", "POST", {"matchers": "x=y", "ends_at": "4102444800"}, 400, "two years"),
    ("/admin/silences", "POST", {"matchers": [1], "duration_seconds": 9}, 400, "array of strings"),
    ("/admin/silences", "POST", {"matchers": "x=y", "duration_seconds": -9}, 400, "above 0"),
    ("/admin/silences", "POST", b" " * 5000, 413, "4096"),
    ("/admin/silences", "DELETE", None, 400, "id is missing"),
    ("/admin/silences", "DELETE", {"id": "s9"}, 404, "GET /silences"),
    ("/admin/silences/s9", "DELETE", None, 404, "GET /silences"),
    ("/admin/silences/s9", "POST", None, 405, "Allow"),
]


def test_bad_requests_change_nothing(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    for path, method, body, status, word in BAD_REQUESTS:
        code, answer = act(agent, path.replace("ID", alert["id"]), body, method)
        assert code == status and word in answer["error"]["message"], (path, body, answer)
    assert firing(agent, "Always")["acked_by"] is None and agent.json("/silences")["silences"] == []


def test_no_token_no_act(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    for path, method in (
        (f"/admin/alerts/{alert['id']}/ack", "POST"), ("/admin/silences", "POST"),
        ("/admin/silences", "DELETE"), ("/admin/silences/s1", "DELETE"),
    ):
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            body = b'{"matchers": "a=b", "duration_seconds": 9}'
            assert agent.request(path, method, headers, body)[0] == 401, path
    assert agent.json("/silences")["silences"] == []


def test_there_are_not_too_many_silences(start):
    agent = start(ALWAYS)
    for i in range(256):
        assert act(agent, "/admin/silences", {"matchers": f"n={i}", "duration_seconds": 600})[0] == 200
    status, answer = act(agent, "/admin/silences", {"matchers": "n=x", "duration_seconds": 600})
    assert status == 422 and "256 silences already" in answer["error"]["message"]


def test_shell(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    listed = cli(agent, "list")
    assert listed.returncode == 0 and alert["id"] in listed.stdout and "Always" in listed.stdout
    assert "no alerts" in cli(agent, "list", "--state", "resolved").stdout
    acked = cli(agent, "ack", alert["id"], "--comment", "on it", "--for", "2h")
    assert acked.returncode == 0 and "otto" in acked.stdout, acked.stderr
    after = firing(agent, "Always")
    assert (after["acked_by"], after["ack_comment"]) == ("otto", "on it")
    made = cli(agent, "silence", "alertname=Always", 'severity=~"error|critical"', "--for", "30m", "--json")
    assert made.returncode == 0, made.stderr
    (silence,) = json.loads(made.stdout)["silences"]
    assert silence["creator"] == "otto"
    assert at(silence["ends_at"]) - at(silence["starts_at"]) == timedelta(minutes=30)
    wait_for(lambda: firing(agent, "Always")["suppressed_by"] == "silence", what="silence")
    listed = cli(agent, "list").stdout
    assert "SILENCES" in listed and silence["id"] in listed and "not told: silence" in listed
    everything = json.loads(cli(agent, "list", "--json", "--matcher", "alertname=Always").stdout)
    assert [a["id"] for a in everything["alerts"]] == [alert["id"]]
    assert [s["id"] for s in everything["silences"]] == [silence["id"]]
    assert cli(agent, "unsilence", silence["id"]).returncode == 0
    assert agent.json("/silences")["silences"] == []
    for arguments, code, words in (
        (("ack", "x?z"), 1, 'no alert "x?z"'),
        (("ack",), 2, "id of an alert"),
        (("ack", "a", "b"), 2, "id of an alert"),
        (("ack", alert["id"], "--for", "soon"), 2, "90s, 30m, 2h, 7d"),
        (("silence",), 2, "alertname=HostDisk"),
        (("silence", "x"), 1, "no operator"),
        (("unsilence", "s99"), 1, 'no silence "s99"'),
        (("list", "--rules", "x"), 2, "does not take --rules"),
        (("list", "x"), 2, "no arguments"),
        (("list", "--state", "x"), 1, "pending, firing, resolved"),
        (("shout",), 2, "list, ack, silence, unsilence, test"),
        ((), 2, "list, ack, silence, unsilence, test"),
    ):
        refused = cli(agent, *arguments)
        assert refused.returncode == code and words in refused.stderr, (arguments, refused.stderr)
        assert refused.stderr.count("\n") == 1
    (agent.directory / "other.token").write_text("nonsense")
    refused = cli(agent, "unsilence", "s1", "--token-file", str(agent.directory / "other.token"))
    assert refused.returncode == 1 and "token" in refused.stderr
