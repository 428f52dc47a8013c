"""Who may ask over HTTP: tokens and roles, guesses, names and pages of others, what is written down."""

import hashlib
import http.client
import json
import socket
import stat
from pathlib import Path

import pytest
from conftest import DEADLINE_SECONDS, wait_for
from test_http import get_routes, openapi, sampled, validator


def test_names_are_not_believed_to_be_local(agent):
    """DNS rebinding: a web page makes its own name point here."""
    for host in ("evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example"):
        status, _, body = agent.request("/health/resources", headers={"Host": host})
        assert status == 403 and json.loads(body)["error"]["code"] == "foreign_host", host
        status, _, body = agent.request("/health", headers={"Host": host})
        assert status in (200, 503) and "probes" not in json.loads(body)
    for host in ("localhost:9999", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert agent.request("/health", headers={"Host": host})[0] in (200, 503), host


def test_pages_of_other_sites_get_nothing(agent):
    """A browser asks on their behalf, with whatever it may."""
    sampled(agent)
    other = [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    ]
    for headers in other:
        status, _, body = agent.request("/alerts", headers=headers)
        error = json.loads(body)["error"]
        assert status == 403 and error["code"] == "cross_site" and "server.allowed_hosts" in error["message"]
        status, _, body = agent.request("/health", headers=headers)
        assert status in (200, 503) and "probes" not in json.loads(body)
        token = bearer(admin_token(agent).read_text().strip())
        assert agent.request("/admin/reload", "POST", {**headers, **token})[0] == 403
    own = [
        {"Origin": agent.url},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ]
    for headers in own:
        assert agent.request("/alerts", headers=headers)[0] == 200, headers


def test_names_that_are_ours(make_agent):
    agent = sampled(make_agent(config={"server": {"allowed_hosts": ["mon.example.com"]}}).start())
    for host in ("mon.example.com", "mon.example.com:443", socket.gethostname()):
        assert agent.request("/alerts", headers={"Host": host})[0] == 200, host
    assert agent.request("/alerts", headers={"Origin": "https://mon.example.com"})[0] == 200
    agent.write_config({**agent.config, "server": {**agent.config["server"], "allowed_hosts": []}})
    token = bearer(admin_token(agent).read_text().strip())
    assert agent.request("/admin/reload", "POST", token)[0] == 200
    assert agent.request("/alerts", headers={"Host": "mon.example.com"})[0] == 403


def audited(agent):
    return [e for e in agent.events() if e.get("logger") == "audit"]


def test_guessing_tokens(make_agent, tmp_path):
    """Whoever guesses waits; the right token from elsewhere, and the agent's own, do not."""
    path = tokens_file(tmp_path, viewer="v-secret", admin="a-secret")
    agent = make_agent(config={"auth": {"tokens_file": path}, "server": {"listen": "0.0.0.0:0"}}).start()
    port = agent.url.rsplit(":", 1)[1]
    agent.url = f"http://127.0.0.1:{port}"
    own = admin_token(agent).read_text().strip()

    def status(token, host="127.0.0.1"):
        connection = http.client.HTTPConnection(
            host, int(port), timeout=DEADLINE_SECONDS, source_address=(host, 0))
        connection.request("GET", "/openapi.json", headers=bearer(token))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers["Retry-After"]

    guesses = 0
    while (seen := status(f"guess{guesses}")) == (401, None):
        guesses += 1
    assert guesses >= 20 and seen[0] == 429 and 1 <= int(seen[1]) <= 2
    assert status("v-secret", host="127.0.0.3")[0] == 200
    assert status(own)[0] == 200
    wait_for(lambda: agent.request("/metrics", headers=bearer(own))[0] == 200, what="a first sample")
    page = agent.request("/metrics", headers=bearer(own))[2]
    counts = dict(line.split() for line in page.splitlines() if line.startswith("moonwatch_http_tokens_"))
    assert int(counts["moonwatch_http_tokens_wrong_total"]) >= guesses
    assert int(counts["moonwatch_http_tokens_unread_total"]) >= 1
    (line,) = wait_for(lambda: [e for e in audited(agent) if e["msg"] == "Login failed"], what="the line")
    assert (line["source"], line["failures"], line["level"]) == ("127.0.0.1", 1, "WARNING")
    wait_for(lambda: status("v-secret")[0] == 200, what="the end of the wait")


def test_what_is_done_is_written_down(make_agent, tmp_path):
    path = tokens_file(tmp_path, viewer="v-secret", admin="a-secret")
    agent = make_agent(config={"auth": {"tokens_file": path}}).start()
    silence = json.dumps({"matchers": ["alertname=X"], "duration_seconds": 60, "comment": "works"}).encode()
    asked = [
        ("POST", "/admin/silences", "a-secret", silence, "silence", "", 200),
        ("DELETE", "/admin/silences/none", "a-secret", None, "unsilenceById", "none", 404),
        ("POST", "/admin/alerts/17/ack", "a-secret", None, "alertAck", "17", 404),
        ("POST", "/admin/circuit-breaker/db/open", "a-secret", None, "breakerOpen", "db", 404),
        ("POST", "/admin/circuit-breaker/reset", "a-secret", None, "breakerReset", "", 200),
        ("POST", "/admin/reload", "v-secret", None, "reload", "", 403),
        ("POST", "/admin/reload", "a-secret", None, "reload", "", 200),
    ]
    for method, route, token, body, *_ in asked:
        agent.request(route, method, bearer(token), body)
    wait_for(lambda: len(audited(agent)) == len(asked), what="a line for each")
    for line, (_, _, token, body, action, target, status) in zip(audited(agent), asked):
        assert (line["action"], line["target"], line["http_status"]) == (action, target, status)
        assert line["token"] == "of-the-test" and line["source"] == "127.0.0.1"
        assert line["role"] == {"v-secret": "viewer", "a-secret": "admin"}[token]
        assert line["request"] == (body or b"").decode()


def admin_token(agent):
    return agent.directory / "run" / "admin.token"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_admin_token(agent):
    path = admin_token(agent)
    token = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    status, headers, body = agent.request("/admin/reload", method="POST")
    assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer")
    assert json.loads(body)["error"]["code"] == "unauthorized"
    for wrong in (token[:-1], token + "0", token.upper(), "", "x" * 4000):
        assert agent.request("/admin/reload", method="POST", headers=bearer(wrong))[0] == 401
    assert agent.request("/admin/reload", "POST", {"Authorization": f"Basic {token}"})[0] == 401
    foreign = {**bearer(token), "Host": "evil.example"}
    assert agent.request("/admin/reload", method="POST", headers=foreign)[0] == 403
    status, _, body = agent.request("/admin/reload", method="POST", headers=bearer(token))
    assert status == 200 and json.loads(body)["status"] == "reloaded"
    agent.stop()
    assert not path.exists()


def test_reload_refuses_a_bad_file(agent):
    token = admin_token(agent).read_text().strip()
    agent.write_config({**agent.config, "health_monitor": {"check_interval": "often"}})
    status, _, body = agent.request("/admin/reload", method="POST", headers=bearer(token))
    error = json.loads(body)["error"]
    assert status == 422 and error["code"] == "invalid_configuration"
    assert "/health_monitor/check_interval" in error["message"]
    assert agent.request("/health")[0] in (200, 503)


def tokens_file(directory, **roles):
    path = Path(directory) / "tokens"
    lines = [f"{r} {hashlib.sha256(t.encode()).hexdigest()} of-the-test" for r, t in roles.items()]
    path.write_text("# tokens of a test\n\n" + "\n".join(lines) + "\n")
    return str(path)


def test_roles(make_agent, tmp_path):
    path = tokens_file(tmp_path, public="p-secret", viewer="v-secret", admin="a-secret")
    agent = make_agent(config={"auth": {"tokens_file": path}}).start()

    def status(route, token=None, method="GET"):
        return agent.request(route, method, bearer(token) if token else {})[0]

    viewer = bearer("v-secret")
    wait_for(lambda: agent.request("/health/resources", headers=viewer)[0] == 200, what="a sample")
    _, _, body = agent.request("/health")
    reduced = json.loads(body)
    document = openapi(agent)
    validator(document, {"$ref": "#/components/schemas/HealthReduced"}).validate(reduced)
    whole = json.loads(agent.request("/health", headers=viewer)[2])
    validator(document, {"$ref": "#/components/schemas/Health"}).validate(whole)
    for component in whole["components"]:
        for reason in whole["components"][component]["reasons"]:
            assert reason not in body
    for route in get_routes(document):
        needed = document["paths"][route]["get"]["x-role"]
        assert (status(route) in (200, 503)) == (needed == "public"), route
        assert status(route, "v-secret") in (200, 503), route
        assert status(route, "wrong") == 401, route
    status_code, headers, _ = agent.request("/metrics")
    assert status_code == 401 and headers["WWW-Authenticate"].startswith("Bearer")
    assert status("/metrics", "p-secret") in (401, 403)
    assert status("/admin/reload", "v-secret", "POST") == 403
    assert status("/admin/reload", "a-secret", "POST") == 200
    assert status("/admin/reload", admin_token(agent).read_text().strip(), "POST") == 200


def test_new_tokens_after_a_reload(make_agent, tmp_path):
    path = tokens_file(tmp_path, viewer="old", admin="a-secret")
    agent = make_agent(config={"auth": {"tokens_file": path}}).start()
    Path(path).write_text("viewer nonsense name\n")
    status, _, body = agent.request("/admin/reload", "POST", bearer("a-secret"))
    assert status == 422 and f"{path}:1:" in json.loads(body)["error"]["message"]
    assert agent.request("/health", headers=bearer("old"))[0] in (200, 503)
    tokens_file(tmp_path, viewer="new", admin="a-secret")
    assert agent.request("/admin/reload", "POST", bearer("a-secret"))[0] == 200
    assert agent.request("/health", headers=bearer("old"))[0] == 401
    assert agent.request("/health", headers=bearer("new"))[0] in (200, 503)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_beyond_loopback_only_with_tokens(make_agent, tmp_path, address):
    code, errors = make_agent(config={"server": {"listen": address}}).run_to_end()
    assert code == 1
    assert address in errors[-1] and "auth.tokens_file" in errors[-1]
    path = tokens_file(tmp_path, viewer="v-secret")
    config = {"server": {"listen": address}, "auth": {"tokens_file": path}}
    agent = make_agent(config=config).start()
    agent.url = "http://127.0.0.1:" + agent.url.rsplit(":", 1)[1]
    assert agent.request("/metrics")[0] == 401
    agent.stop()
    Path(path).write_text("")
    code, errors = agent.run_to_end()
    assert code == 1 and path in errors[-1]
