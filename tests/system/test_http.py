"""The HTTP interface: every route against its own description, errors, HTTPS."""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import urllib.request
from pathlib import Path

import jsonschema
import pytest
from conftest import BINARY, DEADLINE_SECONDS, ROOT, wait_for, wait_until

JSON_TYPE = "application/json; charset=utf-8"


def openapi(agent):
    return agent.json("/openapi.json")


def sampled(agent):
    wait_for(lambda: agent.request("/health/resources")[0] == 200, what="a first sample")
    return agent


def get_routes(document):
    """Those without a name in the path: what there is of that name, its own tests know."""
    return [path for path, item in document["paths"].items() if "get" in item and "{" not in path]


def validator(document, schema):
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)


def check_unknowns(value, where=""):
    """Null stands beside a reason, a reason beside nothing but null or a list."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            check_unknowns(item, f"{where}[{i}]")
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if item is None:
            assert value.get(f"{key}_reason"), f"{where}.{key} is null without a reason"
        if key.endswith("_reason"):
            known = value[key.removesuffix("_reason")]
            assert known is None or isinstance(known, list), f"{where}.{key} beside a value"
        check_unknowns(item, f"{where}.{key}")


def test_every_route_answers_as_described(agent):
    sampled(agent)
    document = openapi(agent)
    assert {"/health", "/health/resources", "/health/scheduler", "/health/priority"} <= set(
        get_routes(document)
    )
    for path in get_routes(document):
        status, headers, body = agent.request(path)
        answer = document["paths"][path]["get"]["responses"][str(status)]
        kind = headers["Content-Type"].split(";")[0]
        assert status == 200 or (path == "/health" and status == 503), (path, status)
        assert kind in answer["content"], (path, kind)
        assert headers["Cache-Control"] == "no-store"
        assert body.endswith("\n") and not body.endswith("\n\n"), path
        if kind != "application/json":
            continue
        parsed = json.loads(body)
        errors = list(validator(document, answer["content"][kind]["schema"]).iter_errors(parsed))
        assert not errors, (path, [f"{e.json_path}: {e.message[:300]}" for e in errors[:5]])
        if path != "/openapi.json":
            check_unknowns(parsed, path)


def test_description_is_whole(agent):
    document = openapi(agent)
    identifiers = [op["operationId"] for item in document["paths"].values() for op in item.values()]
    assert document["openapi"].startswith("3.1")
    assert len(identifiers) == len(set(identifiers))

    def refs(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for item in value.values():
                yield from refs(item)
        elif isinstance(value, list):
            for item in value:
                yield from refs(item)

    for ref in refs(document):
        assert ref.removeprefix("#/components/schemas/") in document["components"]["schemas"], ref


def test_contract(agent):
    """What the contract names, by name."""
    sampled(agent)
    health = agent.json("/health")
    assert health["status"] in ("healthy", "degraded", "unhealthy", "unknown")
    assert set(health["components"]) == {"scheduler", "resources", "performance", "priority"}
    assert health["uptime_seconds"] >= 0
    resources = agent.json("/health/resources")
    for key in ("cpu", "memory", "network", "pressure"):
        assert {"status", "reasons", "thresholds"} <= set(resources[key]), key
    assert all({"status", "thresholds", "mount"} <= set(disk) for disk in resources["disk"])
    scheduler = agent.json("/health/scheduler")
    assert scheduler["jobs"] == [] and scheduler["jobs_reason"]
    assert scheduler["queues"] == [] and scheduler["queues_reason"]
    performance = agent.json("/health/performance")
    assert performance["metrics"] == [] and performance["metrics_reason"]
    assert performance["circuit_breakers"] == [] and performance["circuit_breakers_reason"]
    classes = [row["class"] for row in agent.json("/health/priority")["classes"]]
    assert classes == ["realtime", "high", "normal", "low", "idle"]


def test_figures_are_this_hosts(agent):
    sampled(agent)
    memory = agent.json("/health/resources")["memory"]
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert memory["total_bytes"] == int(meminfo["MemTotal"].split()[0]) * 1024
    mounts = {disk["mount"]: disk for disk in agent.json("/health/resources")["disk"]}
    df = subprocess.run(
        ["df", "-B1", "--output=size", "/"], check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    assert mounts["/"]["size_bytes"] == int(df)


def test_head_is_get_without_the_body(agent):
    sampled(agent)
    host = agent.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=DEADLINE_SECONDS)
    for path in ("/health", "/metrics", "/openapi.json", "/nothing"):
        connection.request("GET", path)
        get = connection.getresponse()
        get.read()
        connection.request("HEAD", path)
        head = connection.getresponse()
        assert head.status == get.status and head.read() == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert int(head.headers["Content-Length"]) > 0


def test_refusals(agent):
    status, headers, body = agent.request("/nothing")
    assert status == 404 and headers["Content-Type"] == JSON_TYPE and body.endswith("}\n")
    assert "/openapi.json" in json.loads(body)["error"]["message"]
    for method in ("DELETE", "POST", "PUT", "OPTIONS", "BREW"):
        status, headers, body = agent.request("/health", method=method)
        assert status == 405 and headers["Allow"] == "GET, HEAD", method
        assert json.loads(body)["error"]["code"] == "method_not_allowed"
    status, headers, _ = agent.request("/admin/reload")
    assert status == 405 and headers["Allow"] == "POST"
    document = openapi(agent)
    error = validator(document, {"$ref": "#/components/schemas/Error"})
    error.validate(json.loads(body))


def test_bodies_are_rendered_once_a_tick(agent):
    """Some two requests in a row fall into one tick: these are the same bytes."""
    sampled(agent)

    def two():
        return [agent.text("/health/resources") for _ in range(2)]

    def of_one_tick(bodies):
        first, second = (json.loads(body)["ts"] for body in bodies)
        return first == second

    first, second = wait_until(two, of_one_tick, "two bodies of one tick")
    assert first == second
    before = json.loads(first)["ts"]
    wait_for(lambda: agent.json("/health/resources")["ts"] != before, what="the next tick")


def test_openmetrics_by_accept(agent):
    sampled(agent)
    _, headers, body = agent.request("/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert not body.endswith("# EOF\n")
    _, headers, body = agent.request(
        "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"}
    )
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith("# EOF\n")
    _, headers, _ = agent.request("/metrics", headers={"Accept": "application/openmetrics-text;q=0, */*"})
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    status, _, body = agent.request("/metrics", headers={"Accept": "*/*;q=0"})
    assert status == 406 and json.loads(body)["error"]["code"] == "not_acceptable"


def test_port_in_use(make_agent):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        code, errors = make_agent(config={"server": {"listen": address}}).run_to_end()
    assert code == 1
    assert address in errors[-1] and "Address already in use" in errors[-1]


def test_status_command(agent):
    sampled(agent)
    command = [str(BINARY), "status", "--url", agent.url]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True).stdout
    for word in ("scheduler", "resources", "priority", "cpu", "memory", "disk", "pressure"):
        assert word in shown
    printed = subprocess.run([*command, "--json"], capture_output=True, timeout=DEADLINE_SECONDS, check=True)
    assert set(json.loads(printed.stdout)) == {"health", "resources", "scheduler", "priority"}
    agent.stop()
    gone = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert gone.returncode == 1 and gone.stderr.count("\n") == 1
    assert "no agent answers" in gone.stderr and gone.stdout == ""
    wrong = subprocess.run([*command[:2], "--url", "ftp://x"], capture_output=True, timeout=DEADLINE_SECONDS)
    assert wrong.returncode == 2


def test_status_is_a_monitoring_plugin(agent, tmp_path):
    def plugin(*arguments):
        command = [str(BINARY), "status", "--check", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
        assert ran.stdout.count("\n") == 1 and ran.stdout.endswith("\n"), ran
        return ran.returncode, ran.stdout

    sampled(agent)
    names = {"healthy": (0, "OK"), "degraded": (1, "WARNING"), "unhealthy": (2, "CRITICAL"), "unknown": (3, "UNKNOWN")}

    def as_health_says():
        status = agent.json("/health")["status"]
        code, line = plugin("--url", agent.url)
        return (code, line.split(" - ")[0]) == names[status] and "memory=" in line

    wait_for(as_health_says, what="the plugin's line to say what /health says")
    agent.stop()
    # None of these is an outage of the host.
    for arguments in (
        ("--url", agent.url),
        ("--url", "ftp://x"),
        ("--speed",),
        ("--url", agent.url, "--token-file", str(tmp_path / "none")),
    ):
        code, line = plugin(*arguments)
        assert code == 3 and line.startswith("UNKNOWN - "), (arguments, line)
    assert "either --check or --json" in plugin("--json")[1]


def test_colours(agent):
    # What is unknown has no colour.
    wait_for(lambda: agent.json("/health")["status"] != "unknown", what="a state with a colour")
    command = ["script", "-qec", f"{BINARY} status --url {agent.url}", "/dev/null"]
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        shown = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, env={"PATH": os.environ["PATH"], **environment}
        ).stdout
        assert "moonwatch" in shown
        assert ("\x1b[" in shown) == coloured, shown


def test_the_readme_tells_every_route(agent):
    readme = (ROOT / "user/http/README.md").read_text()
    for path, operations in agent.json("/openapi.json")["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in readme


def keys_differ(example, answer, path):
    """Where the two have other keys: beside reasons and old figures, which come and go."""
    if isinstance(example, list) and isinstance(answer, list) and example and answer:
        return keys_differ(example[0], answer[0], f"{path}[]")
    if not isinstance(example, dict) or not isinstance(answer, dict) or path.endswith("/labels"):
        return []
    ours, theirs = ({k for k in o if not k.endswith(("_reason", "_stale"))} for o in (example, answer))
    found = [f"{path}: {sorted(ours ^ theirs)}"] if ours != theirs else []
    return found + [line for k in ours & theirs for line in keys_differ(example[k], answer[k], f"{path}/{k}")]


def test_the_readmes_answers_have_the_keys_of_real_ones(agent):
    examples = re.findall(r"<!-- example (\S+) -->\n```json\n(.*?)```", (ROOT / "user/http/README.md").read_text(), re.S)
    assert len(examples) > 5
    assert [line for path, text in examples for line in keys_differ(json.loads(text), agent.json(path), path)] == []


def make_certificate(directory, name, algorithm="ec"):
    options = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"]}[algorithm]
    chain, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *options, "-nodes",
         "-keyout", key, "-out", chain, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )
    return chain, key


def test_https(make_agent, tmp_path):
    chain, key = make_certificate(tmp_path, "server")
    tls = {"tls_certificate_file": str(chain), "tls_key_file": str(key)}
    agent = make_agent(config={"server": tls}).start()
    host = agent.url.removeprefix("http://")
    trust = ssl.create_default_context(cafile=chain)
    for _ in range(3):
        with urllib.request.urlopen(f"https://{host}/metrics", context=trust, timeout=DEADLINE_SECONDS) as answer:
            assert answer.status == 200 and b"moonwatch_" in answer.read()
    with pytest.raises((OSError, http.client.HTTPException)):
        urllib.request.urlopen(f"http://{host}/metrics", timeout=DEADLINE_SECONDS)


def handshake(agent, *options):
    """What openssl's client made of it: (protocol, cipher), or None."""
    command = ["openssl", "s_client", "-connect", agent.url.removeprefix("http://"), *options]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    new = [line.split(", ") for line in said.stdout.splitlines() if line.startswith("New, ")]
    return None if not new or new[0][1] == "(NONE)" else (new[0][1], new[0][2].removeprefix("Cipher is "))


@pytest.mark.parametrize("algorithm", ["ec", "rsa"])
def test_old_tls_is_refused(make_agent, tmp_path, algorithm):
    chain, key = make_certificate(tmp_path, "server", algorithm)
    agent = make_agent(config={"server": {"tls_certificate_file": str(chain), "tls_key_file": str(key)}}).start()
    weak = "ALL:@SECLEVEL=0"
    assert handshake(agent)[0] == "TLSv1.3"
    assert handshake(agent, "-tls1_2")[0] == "TLSv1.2"
    for old in ("-tls1", "-tls1_1"):
        assert handshake(agent, old, "-cipher", weak) is None, old
    # CBC, the certificate's own RSA key, no authentication, no encryption.
    for cipher in ("ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:AES128-SHA",
                   "AES128-GCM-SHA256:AES256-GCM-SHA384", "aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0"):
        assert handshake(agent, "-tls1_2", "-cipher", cipher) is None, cipher
    for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305"):
        name = f"ECDHE-{'ECDSA' if algorithm == 'ec' else 'RSA'}-{cipher}"
        assert handshake(agent, "-tls1_2", "-cipher", name) == ("TLSv1.2", name)


def test_a_key_of_another_certificate(make_agent, tmp_path):
    chain, _ = make_certificate(tmp_path, "server")
    _, key = make_certificate(tmp_path, "other")
    tls = {"tls_certificate_file": str(chain), "tls_key_file": str(key)}
    agent = make_agent(config={"server": tls})
    code, errors = agent.run_to_end()
    assert code == 1
    assert str(key) in errors[-1]
