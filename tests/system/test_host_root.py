"""The agent as in a container that has the host's tree below a directory (server.host_root): a mount, PID
and cgroup namespace of its own, made as a container runtime does. What it shows is compared with what the
host, where this test runs, says of itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DEADLINE_SECONDS, own_name, wait_for, wait_until
from test_doctor import doctor
from test_exhaustion import OPEN_ALL, resources, row_of

KIB = 1024
CONTAINER = """
mount -t tmpfs container "$1"
mkdir "$1/host"
mount --rbind / "$1/host"
mount -o remount,bind,ro "$1/host"
mount -o remount,bind,ro "$1/host/proc"
mount -t tmpfs -o size=512k cover "$1/host$2"
shift 2
exec unshare --pid --fork --kill-child --mount-proc --cgroup --propagation unchanged "$@"
"""


def mounted(directory, *options):
    directory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", *options, "own", str(directory)], check=True)
    return directory


def unmount(directory):
    subprocess.run(["umount", str(directory)], check=True)


class Host:
    """Mounts of the test's own on the host; others come along into the container only below `shared`."""

    def __init__(self, base):
        self.base = mounted(base)
        subprocess.run(["mount", "--make-private", str(base)], check=True)
        self.before = mounted(base / "be fore", "-o", "size=8m")
        (self.before / "file").write_bytes(bytes(3000 * KIB))
        self.covered = mounted(base / "covered", "-o", "size=4m")
        self.gone = mounted(base / "gone", "-o", "size=4m")
        self.shared = mounted(base / "shared", "-o", "size=4m")
        subprocess.run(["mount", "--make-shared", str(self.shared)], check=True)


@pytest.fixture
def host(make_agent, tmp_path):
    made = Host(tmp_path / "m")
    yield made
    subprocess.run(["umount", "--recursive", str(made.base)], check=True)


@pytest.fixture
def contained(host, make_agent, tmp_path):
    """The agent inside; the test's own view is the host's."""
    if os.fsencode(host.covered) not in Path("/proc/1/mountinfo").read_bytes():
        pytest.skip("the first process has other mounts than this test")
    place = tmp_path / "container"
    place.mkdir()
    root = place / "host"
    agent = make_agent(config={"server": {"host_root": f"{root}//"}, "overhead": {"budget_percent": 0}})
    agent.root = root
    script = ["sh", "-e", "-c", CONTAINER, "sh", str(place), str(host.covered)]
    agent.command = ["unshare", "--mount", "--propagation", "slave", *script, *agent.command]
    agent.start()
    yield agent
    for child in children(agent):
        os.kill(child, signal.SIGTERM)
    assert agent.process.wait(DEADLINE_SECONDS) == 0


def children(agent):
    pid = agent.process.pid
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def disk(agent, mount):
    return row_of(resources(agent)["disk"], mount=str(mount))


def df(mount):
    command = ["df", "-B1", "--output=size,avail", str(mount)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [int(word) for word in out.splitlines()[1].split()]


def figures(row):
    return [row["size_bytes"], row["available_bytes"]]


def test_disks_are_those_of_the_host(contained, host):
    row = wait_until(lambda: disk(contained, host.before), bool, "the row")
    assert figures(row) == df(host.before) and row["usage_percent"] == pytest.approx(100 * 3000 / 8192, abs=0.1)
    assert disk(contained, "/")["size_bytes"] == df("/")[0]
    assert figures(disk(contained, host.gone)) == df(host.gone)
    # Another filesystem is there below the root: no figure rather than that one's.
    assert disk(contained, host.covered)["size_bytes"] is None
    assert "server.host_root" in disk(contained, host.covered)["usage_percent_reason"]

    came = mounted(host.shared / "came", "-o", "size=2m")
    assert figures(wait_until(lambda: disk(contained, came), bool, "the row of what came along")) == df(came)
    late = mounted(host.base / "late", "-o", "size=2m")
    row = wait_until(lambda: disk(contained, late), bool, "the row of what did not")
    assert row["size_bytes"] is None and "rslave" in row["usage_percent_reason"]
    assert row["available_bytes"] is None
    # Nobody has to read 20 rows to see that two of them have no figures.
    told = lambda: [p["reason"] for p in contained.json("/health")["unseen"] if p["what"] == "disks"]
    reason = wait_until(lambda: "".join(told()), lambda r: late.name in r, "the disks that are not seen")
    assert all(words in reason for words in (host.covered.name, "server.host_root", "rslave"))
    assert came.name not in reason and host.before.name not in reason
    line = contained.wait_log(lambda e: e.get("what") == "disks" and late.name in e["reason"])
    assert line["level"] == "WARNING" and line["msg"] == "A part of the host is not seen"
    inside = ["nsenter", "--mount", "--pid", f"--target={children(contained)[0]}"]
    found = json.loads(doctor("--json", "--config", str(contained.config_path), prefix=inside)[1])["host"]["disks"]
    assert found == {"ok": False, "detail": reason}
    unmount(host.covered)
    unmount(host.gone)
    unmount(late)
    wait_until(told, lambda reasons: not reasons, "all to be seen again")
    contained.wait_log(lambda e: e.get("what") == "disks" and e["level"] == "INFO")
    wait_for(lambda: not disk(contained, host.gone), "the row of what was unmounted to go")

    assert [row["mount"] for row in resources(contained)["disk"] if str(contained.root.parent) in row["mount"]] == []
    assert contained.metric("moonwatch_filesystem_size_bytes", mount=host.before) == df(host.before)[0]
    assert str(contained.root.parent) not in contained.text("/metrics")


def test_processes_and_cgroups_are_those_of_the_host(contained, cgroup2):
    comm = own_name("-r")
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN_ALL, "300", comm], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with contextlib.closing(process.stdin):
        assert process.stdout.read(6) == b"EMFILE"
        files = lambda: row_of(resources(contained)["file_descriptors"]["processes"], comm=comm)
        assert wait_until(files, bool, "the process's row")["pid"] == process.pid
    process.wait(DEADLINE_SECONDS)

    crashed = cgroup2.popen(["sh", "-c", "kill -SEGV $$"])
    crashed.wait(DEADLINE_SECONDS)
    line = contained.wait_log(lambda e: e.get("msg") == "Process crashed" and e.get("pid") == crashed.pid)
    assert line["cgroup"] == f"/{cgroup2.path.name}"

    # Armed, though the files below the root are read-only.
    with contextlib.suppress(OSError):  # psi=0
        Path("/proc/pressure/cpu").read_text()
        assert contained.metric("moonwatch_source_missing", source="pressure_triggers") is None

    # The kernel lists the tasks of the agent's own PID namespace; all else is as on the host.
    outside = json.loads(doctor("--json")[1])["host"]
    wanted = {name for name in ("cgroups", "network") if not outside[name]["ok"]} | {"processes", "disks"}
    unseen = contained.json("/health")["unseen"]
    assert {part["what"] for part in unseen} == wanted
    assert "--pid=host" in next(part["reason"] for part in unseen if part["what"] == "processes")


def test_a_root_that_is_none(make_agent, tmp_path):
    """One line, before anything is loaded."""
    agent = make_agent(config={"server": {"host_root": str(tmp_path)}})
    code, lines = agent.run_to_end()
    assert code == 2 and len(lines) == 1
    assert f"server.host_root: no procfs is mounted at {tmp_path}/proc" in lines[0] and "rslave" in lines[0]
    report = json.loads(doctor("--json", MOONWATCH_CONFIG=str(agent.config_path))[1])
    assert report["host"]["host root"] == {"ok": False, "detail": lines[0].removeprefix("moonwatch: ")}
    agent = make_agent(config={"server": {"host_root": str(tmp_path / "absent")}})
    code, lines = agent.run_to_end()
    assert code == 2 and len(lines) == 1
    assert "/server/host_root" in lines[0] and "a directory that is there" in lines[0]
