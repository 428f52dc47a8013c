"""/metrics of a running agent, read by others: promtool, the Prometheus client library, Prometheus itself."""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from conftest import BINARY, DEADLINE_SECONDS, wait_for, wait_until
from traffic import free_port

ROOT = Path(__file__).resolve().parents[2]
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def need(program):
    path = shutil.which(program)
    if not path:
        pytest.skip(f"{program} is not installed")
    return path


def page(agent, openmetrics=False):
    accept = "application/openmetrics-text;version=1.0.0" if openmetrics else "text/plain;version=0.0.4"
    status, headers, body = agent.request("/metrics", headers={"Accept": accept})
    assert status == 200
    return headers["Content-Type"], body


def parse(agent, openmetrics=False):
    """{family name: (type, [samples])} by the Prometheus project's own parser."""
    kind = "openmetrics.parser" if openmetrics else "parser"
    parser = pytest.importorskip(f"prometheus_client.{kind}")
    _, body = page(agent, openmetrics)
    families = {}
    for family in parser.text_string_to_metric_families(body):
        assert family.name not in families, "a family is written in one go"
        families[family.name] = (family.type, family.samples)
    return families


def series(families):
    """{(name, labels): value}; a series that is there twice fails the test."""
    found = {}
    for _, samples in families.values():
        for sample in samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def work():
    """Something of everything: processes, context switches, writes, connects that work and that fail."""
    for _ in range(20):
        subprocess.run(["true"], check=True)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            client.sendall(b"hello")
        address = server.getsockname()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_promtool_has_nothing_to_say(agent):
    promtool = need("promtool")
    work()
    agent.next_tick()
    _, body = page(agent)
    checked = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_both_formats_parse_and_say_the_same(agent):
    work()
    agent.next_tick()
    content_type, body = page(agent, openmetrics=True)
    assert content_type == OPENMETRICS
    assert body.endswith("# EOF\n")
    content_type, _ = page(agent)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"

    def both():
        return series(parse(agent, True)), series(parse(agent))

    def of_one_tick(pages):
        first, second = (page[("moonwatch_ticks_total", ())] for page in pages)
        return first == second

    openmetrics, text = wait_until(both, of_one_tick, "two pages of one tick")
    assert openmetrics.keys() == text.keys()
    for name in ("moonwatch_build_info", "moonwatch_cpu_seconds_total", "moonwatch_tcp_opened_total"):
        assert any(key[0] == name for key in openmetrics), name


def test_every_section_is_there(agent):
    agent.next_tick()
    names = set(parse(agent))
    missing = agent_missing(agent)
    wanted = {
        "moonwatch_health_status": None,
        "moonwatch_cpu_seconds": "cpu",
        "moonwatch_memory_available_bytes": "memory",
        "moonwatch_filesystem_usage_ratio": "filesystem",
        "moonwatch_network_received_bytes": "network",
        "moonwatch_pressure_stalled_seconds": "pressure",
        "moonwatch_run_queue_delay_seconds": "scheduler",
        "moonwatch_blocked_seconds": "blocked",
        "moonwatch_reclaim_stall_seconds": "reclaim",
        "moonwatch_process_forks": "process_lifecycle",
        "moonwatch_bpf_program_info": None,
        "moonwatch_bpf_map_bytes": None,
        "moonwatch_records_produced": None,
        "moonwatch_bpf_map_drops": None,
        "moonwatch_loop_lag_seconds": None,
        "moonwatch_collector_seconds": None,
        "moonwatch_agent_resident_bytes": None,
        "moonwatch_agent_cpu_seconds": None,
        "moonwatch_scrape_seconds": None,
    }
    absent = {
        name
        for name, source in wanted.items()
        if name not in names and name.removesuffix("_info") not in names and source not in missing
    }
    assert not absent


def test_what_is_not_measured_of_a_cgroup_is_not_zero(make_agent):
    agent = make_agent(config={"overhead": {"probes": {"reclaim": "off"}}}).start()
    agent.next_tick()
    cgroups = wait_for(lambda: agent.json("/health/scheduler")["cgroups"], "cgroups that wait")
    for row in cgroups:
        assert row["run_queue_delay"] and row["blocked"], row
        assert (row["reclaim"], row["reclaim_reason"]) == (None, "off by configuration"), row
    names = set(parse(agent))
    assert "moonwatch_cgroup_blocked_seconds" in names
    assert not {name for name in names if name.startswith("moonwatch_cgroup_reclaim_")}


def agent_missing(agent):
    return {
        dict(labels)["source"] for (name, labels) in series(parse(agent)) if name == "moonwatch_source_missing"
    }


@pytest.mark.alone  # a cgroup or an interface of the same name that comes again is another
def test_counters_never_go_back(agent):
    kinds = {}
    before = {}
    for _ in range(3):
        work()
        agent.next_tick()
        families = parse(agent, openmetrics=True)
        kinds.update({s.name: kind for kind, samples in families.values() for s in samples})
        now = series(families)
        rising = [
            (key, before[key], value)
            for key, value in now.items()
            if key in before
            and (kinds[key[0]] == "counter" or kinds[key[0]] == "histogram")
            and value < before[key]
        ]
        assert not rising
        before = now
    assert any(kind == "counter" for kind in kinds.values())
    assert now[("moonwatch_process_forks_total", ())] >= 60


def test_histograms_are_consistent(agent):
    work()
    agent.next_tick()
    checked = 0
    for name, (kind, samples) in parse(agent).items():
        if kind != "histogram":
            continue
        rows = {}
        for sample in samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            row = rows.setdefault(labels, {"buckets": []})
            if sample.name.endswith("_bucket"):
                row["buckets"].append((float(sample.labels["le"]), sample.value))
            else:
                row[sample.name.removeprefix(name)] = sample.value
        for labels, row in rows.items():
            bounds = [bound for bound, _ in row["buckets"]]
            counts = [count for _, count in row["buckets"]]
            assert bounds == sorted(bounds) and bounds[-1] == math.inf, (name, labels)
            assert counts == sorted(counts), (name, labels)
            assert row["_count"] == counts[-1], (name, labels)
            assert row["_sum"] >= 0
            # No event is shorter than its bucket's lower bound, so the sum is no smaller either.
            lower, total, seen = 0.0, 0.0, 0.0
            for bound, count in row["buckets"]:
                total += (count - seen) * lower
                lower, seen = bound, count
            assert row["_sum"] >= 0.5 * total * 0.999, (name, labels)
            checked += 1
    assert checked >= 5


CONNECTS = """
import socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for port in range(2000, 2300):
    with socket.socket() as client:
        client.connect_ex(("127.0.0.1", port))
"""


def test_labels_are_bounded(agent, cgroup2):
    """A hundred cgroups and three hundred ports do not make the page grow without limit."""
    agent.next_tick()
    children = [cgroup2.path / f"c{i}" for i in range(100)]
    try:
        for child in children:
            child.mkdir()
            enter = f"echo $$ > {child}/cgroup.procs; exec true"
            subprocess.run(["sh", "-c", enter], check=True)
        # In a network of their own, where nobody else's ports are.
        subprocess.run(["unshare", "--net", sys.executable, "-c", CONNECTS], check=True)
        agent.next_tick()
        found = series(parse(agent))
    finally:
        for child in children:
            if child.exists():
                child.rmdir()
    values = {}
    for name, labels in found:
        for label, value in labels:
            values.setdefault(label, set()).add(value)
    assert 20 < len(values["cgroup"]) <= 20 + 1 + 64  # rows, other, throttled
    # Rows are of a side and a port, and other people's come first: that they are all taken is sure.
    assert "other" in values["port"] and len(values["port"]) <= 257
    assert 0 < len(values["check"]) <= 256
    assert not {"pid", "comm", "path"} & set(values)
    assert len(found) < 20000


def test_ratios_are_shares(agent):
    agent.next_tick()
    for (name, labels), value in series(parse(agent)).items():
        if name.endswith("_ratio"):
            assert 0 <= value <= (64 if "bpf" in name else 1.0001), (name, labels, value)


def test_the_page_agrees_with_json_and_the_kernel(agent):
    agent.next_tick()
    resources = agent.json("/health/resources")
    assert agent.metric("moonwatch_memory_total_bytes") == resources["memory"]["total_bytes"]
    boot = agent.metric("moonwatch_boot_time_seconds")
    assert boot == int(re.search(r"^btime (\d+)", Path("/proc/stat").read_text(), re.M).group(1))

    def shown_and_true():
        names = ("moonwatch_agent_resident_bytes", "moonwatch_agent_open_files", "moonwatch_agent_threads")
        samples, process = agent.metrics(), Path(f"/proc/{agent.process.pid}")
        statm = (process / "statm").read_text().split()
        resident = int(statm[1]) * os.sysconf("SC_PAGE_SIZE")
        truth = (resident, len(os.listdir(process / "fd")), len(os.listdir(process / "task")))
        return tuple(samples[name] for name in names), truth

    def agree(pair):
        shown, truth = pair
        return shown[0] == pytest.approx(truth[0], rel=0.1) and abs(shown[1] - truth[1]) <= 2 and shown[2] == truth[2]

    # The page is of a moment before, in which the agent may have grown or read a file.
    wait_until(shown_and_true, agree, "resident bytes, open files and threads as the kernel has them")


class Prometheus:
    def __init__(self, directory, target, program, port):
        self.url = f"http://127.0.0.1:{port}"
        rules = (ROOT / "config" / "prometheus-rules.yml").read_text()
        config = (ROOT / "config" / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:8000", target).replace("scrape_interval: 5s", "scrape_interval: 1s")
        (directory / "prometheus.yml").write_text(config.replace("evaluation_interval: 15s", "evaluation_interval: 1s"))
        (directory / "prometheus-rules.yml").write_text(rules)
        self.log = open(directory / "prometheus.log", "w+")
        self.process = subprocess.Popen(
            [
                program,
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/tsdb",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=warn",
            ],
            stdout=self.log,
            stderr=self.log,
        )

    def get(self, path, **query):
        try:
            url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
                return json.load(answer)["data"]
        except (OSError, ValueError):
            return None

    def query(self, expression):
        data = self.get("/api/v1/query", query=expression)
        return [(row["metric"], float(row["value"][1])) for row in data["result"]] if data else []

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture
def prometheus(agent, tmp_path):
    server = Prometheus(tmp_path, agent.url.removeprefix("http://"), need("prometheus"), free_port())
    yield server
    server.close()


def test_a_real_prometheus_scrapes_it(agent, prometheus):
    up = 'up{job="moonwatch"} == 1'
    wait_for(lambda: prometheus.query(up), "a scrape")
    # Prometheus prefers OpenMetrics and, once it was given it, knows the units from it.
    name = "moonwatch_run_queue_delay_seconds"
    metadata = wait_for(lambda: prometheus.get("/api/v1/metadata", metric=name), "the metadata")[name]
    assert (metadata[0]["type"], metadata[0]["unit"]) == ("histogram", "seconds")
    ours, theirs = agent.metric("moonwatch_memory_total_bytes"), prometheus.query("moonwatch_memory_total_bytes")
    assert theirs[0][1] == ours
    assert prometheus.query('moonwatch_health_status{status="healthy"}')
    work()
    forks = "increase(moonwatch_process_forks_total[1m]) > 0"
    wait_for(lambda: prometheus.query(forks), "a rate")
    rule = "moonwatch:run_queue_delay_seconds:p99_5m >= 0"
    wait_for(lambda: prometheus.query(rule), "a recording rule")
    rejected = prometheus.query("scrape_samples_scraped - scrape_samples_post_metric_relabeling")
    assert rejected and all(value == 0 for _, value in rejected)
    prometheus.log.flush()
    assert "duplicate" not in Path(prometheus.log.name).read_text().lower()


def test_the_shipped_rules_and_scrape_configuration_are_valid():
    promtool = need("promtool")
    for arguments in (
        ["check", "config", "config/prometheus.yml"],
        ["check", "rules", "config/prometheus-rules.yml"],
        ["test", "rules", "tests/system/prometheus/rules_test.yml"],
    ):
        run = subprocess.run([promtool, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_rules_ask_only_for_metrics_that_exist():
    rules = (ROOT / "config" / "prometheus-rules.yml").read_text()
    expressions = re.sub(r"(?m)^\s*(summary|description|#).*$", "", rules)
    asked = set(re.findall(r"\bmoonwatch_\w+", expressions))
    listed = subprocess.run([BINARY, "check", "--metrics"], check=True, capture_output=True, text=True).stdout
    histograms = set(re.findall(r"(?m)^\| `(moonwatch_\w+)` \| histogram", listed))
    known = set(re.findall(r"(?m)^\| `(moonwatch_\w+)`", listed))
    known |= {name + suffix for name in histograms for suffix in ("_bucket", "_count", "_sum")}
    assert asked and asked <= known, asked - known
