"""`moonwatch doctor` against what others say of this host: bpftool, uname, the mount table, the agent."""

import glob
import json
import os
import subprocess

import pytest
from conftest import BINARY, DEADLINE_SECONDS, in_kernel, wait_for

CAPABILITIES = {
    "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_DAC_READ_SEARCH": 2,
    "CAP_PERFMON": 38, "CAP_BPF": 39,
}


def doctor(*arguments, prefix=(), **environment):
    run = subprocess.run(
        [*prefix, str(BINARY), "doctor", *arguments],
        capture_output=True, text=True, timeout=DEADLINE_SECONDS, env={**os.environ, **environment},
    )
    return run.returncode, run.stdout, run.stderr


@pytest.fixture
def report(agent):
    """The doctor's report beside a running agent, whose configuration it reads."""
    code, out, errors = doctor("--json", MOONWATCH_CONFIG=str(agent.config_path))
    assert code == 0 and errors == ""
    return json.loads(out)


def attached(report):
    return {row["program"] for row in report["programs"] if row["state"] == "attached"}


def test_programs_are_those_that_run(agent, report):
    """What it says can be attached is what the running agent has attached, by bpftool."""
    names = set()
    for number in agent.held("prog"):
        show = ["bpftool", "-j", "prog", "show", "id", str(number)]
        run = subprocess.run(show, capture_output=True, text=True)
        if run.returncode == 0:
            names.add(json.loads(run.stdout)["name"])
    rows = report["programs"]
    # Loaded, to be attached to cgroups when a breaker asks for it.
    waiting = {r["program"] for r in rows if r["state"] == "unused" and r["target"].startswith("cgroup")}
    assert attached(report) == names - waiting
    assert len({row["program"] for row in rows}) == len(rows)
    for row in rows:
        assert (row["state"] == "attached") == (row["reason"] == ""), row
        assert row["state"] in ("attached", "unused", "unsupported"), row


def held_by_anybody():
    """Ids of the BPF programs that the files of some process hold."""
    ids = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path) as info:
                ids |= {int(line.split()[1]) for line in info if line.startswith("prog_id:")}
        except OSError:  # the process or the file is gone
            pass
    return ids


def test_it_leaves_no_program_behind(agent):
    """A program of our names that came meanwhile, that nobody holds and that stays, would be the
    doctor's; those of other agents that were killed go with their pins."""

    def programs():
        return {number: row.get("name") for number, row in in_kernel("prog").items()}

    before = programs()
    _, out, _ = doctor("--json", MOONWATCH_CONFIG=str(agent.config_path))
    ours = attached(json.loads(out))
    assert ours
    left = {number for number, name in programs().items() if name in ours and number not in before}
    wait_for(lambda: not left & programs().keys() - held_by_anybody(), "no new program without a holder")


def test_facts_of_the_host(agent, report):
    host = report["host"]
    uname = os.uname()
    assert host["kernel"]["detail"] == f"{uname.release} {uname.machine}"
    assert host["btf"]["ok"] == os.access("/sys/kernel/btf/vmlinux", os.R_OK)
    with open("/proc/mounts", errors="replace") as file:
        mounts = {tuple(line.split()[1:3]) for line in file}
    assert host["bpffs"]["ok"] == (("/sys/fs/bpf", "bpf") in mounts)
    assert host["tracefs"]["ok"] == (("/sys/kernel/tracing", "tracefs") in mounts)
    assert host["agent"]["detail"] == f"running, pid {agent.process.pid} holds {agent.pins}"
    with open("/proc/self/status") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    for name, bit in CAPABILITIES.items():
        assert host[name]["ok"] == bool(effective >> bit & 1), name


def test_table_and_json_say_the_same(agent, report):
    code, table, _ = doctor(MOONWATCH_CONFIG=str(agent.config_path))
    assert code == 0
    facts, programs = table.split("\n\n")
    for name, fact in report["host"].items():
        assert f"{name:<20} {'ok' if fact['ok'] else 'no':<4} {fact['detail']}" in facts.splitlines()
    lines = {line.split()[1]: line.split() for line in programs.splitlines()[1:]}
    assert set(lines) == {row["program"] for row in report["programs"]}
    for row in report["programs"]:
        assert lines[row["program"]][2:4] == [row["target"], row["state"]]


def test_without_an_agent(make_agent):
    agent = make_agent()
    _, out, _ = doctor("--json", MOONWATCH_CONFIG=str(agent.config_path))
    assert json.loads(out)["host"]["agent"]["detail"] == f"not running (nobody holds {agent.pins})"


def test_without_privileges(make_agent):
    """Each probe has its reason, each capability is missing, and the exit code is 1."""
    make_agent()  # skips where the test is not root and could drop nothing
    prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    code, out, errors = doctor("--json", prefix=prefix)
    report = json.loads(out)
    assert code == 1 and errors == "" and report["ok"] is False
    for name in CAPABILITIES:
        assert not report["host"][name]["ok"] and report["host"][name]["detail"].startswith("missing: for ")
    assert not attached(report)
    for row in report["programs"]:
        assert "CAP_BPF is missing" in row["reason"] or "its partner" in row["reason"], row


def test_a_container_of_its_own(make_agent):
    """What its namespaces hide is a no with a mend, not an ok."""
    make_agent()
    prefix = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net"]
    _, out, _ = doctor("--json", prefix=prefix)
    host = json.loads(out)["host"]
    assert not host["processes"]["ok"] and "--pid=host" in host["processes"]["detail"]
    assert not host["network"]["ok"] and "--network=host" in host["network"]["detail"]
    prefix = ["unshare", "--net"]
    _, out, _ = doctor("--json", prefix=prefix)
    host = json.loads(out)["host"]
    assert host["processes"]["ok"]
    assert not host["network"]["ok"] and "--network=host" in host["network"]["detail"]


def test_what_is_not_seen_is_shown(agent):
    seen = json.loads(doctor("--json")[1])["host"]
    unseen = [name for name in ("processes", "cgroups", "disks", "network") if not seen[name]["ok"]]
    assert [part["what"] for part in agent.json("/health")["unseen"]] == unseen


def test_a_broken_configuration(tmp_path):
    """It goes by the defaults, and says so in a line."""
    path = tmp_path / "monitoring.json"
    path.write_text("{")
    _, out, errors = doctor("--json", MOONWATCH_CONFIG=str(path))
    assert json.loads(out)["programs"]
    assert errors.count("\n") == 1 and f"moonwatch check {path}" in errors and "defaults" in errors
