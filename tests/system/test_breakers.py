"""Circuit breakers over HTTP and from the shell: what an operator sees and does, without traffic."""

import json
import subprocess

import pytest
from conftest import BINARY, DEADLINE_SECONDS, cgroup2_mount, own_name, wait_for, wait_until
from test_http import check_unknowns, openapi, validator

CONFIG = {
    "services": [{"name": "web", "kind": "http", "match": {"comm": own_name("web")}}],
    "upstreams": [
        {
            "name": "pay",
            "address": ["192.0.2.1:443", "192.0.2.2:443"],
            "breaker": {"mode": "enforce"},
            "fallback": {"strategy": "reduced", "response": {"body": "{}"}},
        },
        {"name": "db", "address": "192.0.2.3:5432", "breaker": {"mode": "disabled"}},
    ],
}


@pytest.fixture
def configured(make_agent, cgroup2):
    clients = {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))}
    upstreams = [{**upstream, "clients": clients} for upstream in CONFIG["upstreams"]]
    agent = make_agent(config={**CONFIG, "upstreams": upstreams}).start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    return agent


def act(agent, path, body=None):
    token = (agent.directory / "run" / "admin.token").read_text().strip()
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    status, _, text = agent.request(path, "POST", {"Authorization": f"Bearer {token}"}, data)
    return status, json.loads(text)


def states(agent):
    return {b["name"]: b["state"] for b in agent.json("/breakers")["breakers"]}


def cli(agent, *arguments):
    return subprocess.run(
        [str(BINARY), "breaker", *arguments, "--url", agent.url],
        env=agent.environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


@pytest.mark.parametrize("path", ["/health/performance", "/services", "/breakers", "/breakers/pay"])
def test_bodies_are_as_described(configured, path):
    document = openapi(configured)
    described = document["paths"][path.replace("/breakers/pay", "/breakers/{name}")]["get"]
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    act(configured, "/admin/circuit-breaker/pay/open")
    body = configured.json(path)
    errors = list(validator(document, schema).iter_errors(body))
    assert not errors, [f"{e.json_path}: {e.message[:300]}" for e in errors[:5]]
    check_unknowns(body, path)


def test_without_calls_nothing_is_told_of_them(configured):
    wait_for(lambda: configured.json("/services")["services"][0]["calls"] == 0, what="a measurement")
    rows = configured.json("/services")["services"]
    assert [(r["name"], r["role"]) for r in rows] == [
        ("web", "service"),
        ("pay", "upstream"),
        ("db", "upstream"),
    ]
    assert all(row[key] is None for row in rows for key in ("failed_percent", "p95_seconds"))
    assert all(row["usual"]["p95_seconds"] is None for row in rows)


def test_by_hand_and_at_once(configured):
    assert states(configured) == {"pay": "closed", "db": "disabled"}
    status, body = act(configured, "/admin/circuit-breaker/pay/open")
    assert status == 200 and [b["state"] for b in body["breakers"]] == ["forced_open"]
    # The page rendered for this tick is not served again.
    assert states(configured)["pay"] == "forced_open"
    one = configured.json("/breakers/pay")
    assert one["last_transition"]["cause"] == "opened_by_hand"
    assert one["history"][0] == one["last_transition"]
    assert one["addresses"] == ["192.0.2.1:443", "192.0.2.2:443"]
    wait_for(
        lambda: any("pay" in r for r in configured.json("/health/performance")["reasons"]),
        what="the reason",
    )
    assert configured.json("/health/performance")["status"] == "degraded"
    assert configured.metric("moonwatch_breaker_state", upstream="pay", state="forced_open") == 1
    logged = configured.wait_log(lambda e: e.get("to") == "forced_open")
    assert logged["upstream"] == "pay" and logged["level"] == "WARNING"
    assert act(configured, "/admin/circuit-breaker/pay/close")[0] == 200
    assert states(configured)["pay"] == "closed"


def test_reset_one_or_all(configured):
    for body in ({"name": "pay"}, None, {}):
        act(configured, "/admin/circuit-breaker/pay/open")
        status, answer = act(configured, "/admin/circuit-breaker/reset", body)
        assert status == 200 and len(answer["breakers"]) == (1 if body else 2)
        assert states(configured) == {"pay": "closed", "db": "disabled"}


@pytest.mark.parametrize(
    "body", [b"[", b"[]", b"3", b'{"name": 3}', b'{"nam": "pay"}', b'{"name": "pay", "x": 1}', b"\0"]
)
def test_bad_bodies_change_nothing(configured, body):
    act(configured, "/admin/circuit-breaker/pay/open")
    status, answer = act(configured, "/admin/circuit-breaker/reset", body)
    assert status == 400 and answer["error"]["code"] == "bad_body"
    assert states(configured)["pay"] == "forced_open"


def test_refusals(configured):
    assert act(configured, "/admin/circuit-breaker/reset", b" " * 5000)[0] == 413
    assert act(configured, "/admin/circuit-breaker/reset", {"name": "x"})[0] == 404
    assert act(configured, "/admin/circuit-breaker/x/open")[0] == 404
    assert configured.request("/breakers/x")[0] == 404
    assert configured.request("/breakers/")[0] == 404
    assert configured.request("/breakers/pay/x")[0] == 404
    assert configured.request("/breakers/" + "x" * 1000)[0] == 404
    status, answer = act(configured, "/admin/circuit-breaker/db/open")
    assert status == 422 and "breaker.mode" in answer["error"]["message"]
    for path in ("reset", "pay/open", "pay/close"):
        assert configured.request(f"/admin/circuit-breaker/{path}", "POST")[0] == 401
        assert configured.request(f"/admin/circuit-breaker/{path}")[0] == 405
    assert states(configured) == {"pay": "closed", "db": "disabled"}


def test_shell(configured):
    listed = cli(configured, "list")
    assert listed.returncode == 0 and "pay" in listed.stdout and "db" in listed.stdout
    opened = cli(configured, "open", "pay")
    assert opened.returncode == 0 and "forced_open" in opened.stdout
    assert states(configured)["pay"] == "forced_open"
    parsed = json.loads(cli(configured, "reset", "pay", "--json").stdout)
    assert [b["state"] for b in parsed["breakers"]] == ["closed"]
    assert cli(configured, "close", "pay").returncode == 0
    for arguments, code, words in (
        (("open", "db"), 1, "mode"),
        (("open", "x?z"), 1, 'no upstream "x?z"'),
        (("open",), 2, "wants the name"),
        (("list", "pay"), 2, "unexpected argument pay"),
        (("shut",), 2, "list, reset, open, close"),
        ((), 2, "list, reset, open, close"),
    ):
        refused = cli(configured, *arguments)
        assert refused.returncode == code and words in refused.stderr, (arguments, refused.stderr)
        assert refused.stderr.count("\n") == 1


def not_enforced(agent):
    said = agent.wait_log(lambda e: e.get("msg") == "Circuit breaker is not enforced")
    breaker = agent.json("/breakers/pay")
    assert breaker["enforced"] is False and breaker["not_enforced_because"] == said["reason"]
    assert agent.metric("moonwatch_breaker_enforced", upstream="pay") == 0
    health = wait_until(
        lambda: agent.json("/health/performance"),
        lambda body: any(f"pay is not enforced: {said['reason']}" in reason for reason in body["reasons"]),
        "the reason",
    )
    listed = cli(agent, "list").stdout
    assert said["reason"] in listed and " yes " not in listed
    return said["reason"], health["status"]


def test_what_does_not_run_is_not_said_to_be_enforced(make_agent, cgroup2):
    clients = {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))}
    pay = {"name": "pay", "address": "192.0.2.1:443", "clients": clients, "breaker": {"mode": "forced_open"}}
    off = {"overhead": {"probes": {"breaker": "off"}}}
    agent = make_agent(config={**off, "upstreams": [pay]}).start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    reason, status = not_enforced(agent)
    assert "not loaded: off by configuration" in reason and status == "degraded"


def test_without_clients_there_is_nothing_to_enforce(make_agent, cgroup2):
    inside = cgroup2.path / "clients"
    clients = {"cgroup": str(inside.relative_to(cgroup2_mount()))}
    pay = {"name": "pay", "address": "192.0.2.1:443", "clients": clients, "breaker": {"mode": "enforce"}}
    agent = make_agent(config={"upstreams": [pay]}).start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    assert not_enforced(agent)[0] == f"no cgroup /{clients['cgroup']}: nobody is a client"
    inside.mkdir()
    try:
        agent.wait_log(lambda e: e.get("msg") == "Circuit breaker is enforced again")
        wait_for(lambda: agent.metric("moonwatch_breaker_enforced", upstream="pay") == 1, what="the metric")
        assert " yes " in cli(agent, "list").stdout
    finally:
        inside.rmdir()


def test_what_is_enforced_in_part_is_said_so(make_agent, cgroup2):
    clients = {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))}
    pay = {"name": "pay", "address": ["127.0.0.1:9", "192.0.2.1:9"], "clients": clients, "breaker": {"mode": "enforce"}}
    agent = make_agent(config={"upstreams": [pay, {"name": "other", "address": "localhost:9"}]}).start()
    reason = not_enforced(agent)[0]
    assert reason.startswith('1 of 2 addresses is not enforced: 127.0.0.1: upstream "other" has that address too')


def test_a_reload_keeps_the_state(configured):
    act(configured, "/admin/circuit-breaker/pay/open")
    changed = json.loads(json.dumps(configured.config))
    changed["upstreams"].insert(0, {"name": "new", "address": "192.0.2.9:80"})
    del changed["upstreams"][2]
    configured.write_config(changed)
    assert act(configured, "/admin/reload")[0] == 200
    assert states(configured) == {"new": "closed", "pay": "forced_open"}
