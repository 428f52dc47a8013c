"""What one service runs out of while the host has plenty, by programs that do: its own limit of open
files, the tasks of its cgroup, its queue of connections."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from alerting import with_rules
from conftest import Cgroup, own_name, wait_for, wait_until

FORKS = 12
OPEN_ALL = """
import errno, os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
open("/proc/self/comm", "w").write(sys.argv[2])
try:
    while True:
        os.open("/dev/null", os.O_RDONLY)
except OSError as e:
    os.write(1, errno.errorcode[e.errno].encode())
os.read(0, 1)
"""


FORK_ALL = """
import errno, os, signal, sys
child = os.fork()
if child == 0:
    signal.pause()
for _ in range(int(sys.argv[1])):
    try:
        os.fork()
    except OSError as e:
        os.write(1, errno.errorcode[e.errno].encode())
os.kill(child, signal.SIGKILL)
"""


def resources(agent):
    return agent.json("/health/resources")


def row_of(rows, **wanted):
    return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)


@pytest.fixture
def small_cgroup():
    """With room for two tasks."""
    v1, v2 = Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")
    controllers = v2 / "cgroup.subtree_control"
    if (v1 / "cgroup.procs").exists():
        group = Cgroup(v1 / own_name("-pids"))
    elif controllers.exists() and "pids" in controllers.read_text().split():
        group = Cgroup(v2 / own_name("-pids"))
    else:
        pytest.skip("no cgroup hierarchy with the pids controller to make a group in")
    group.write("pids.max", 2)
    yield group
    group.remove()


def refuse_forks(group):
    """A process in the cgroup, which may have one child, tries to have more."""
    process = group.popen([sys.executable, "-c", FORK_ALL, str(FORKS)], stdout=subprocess.PIPE)
    assert process.communicate()[0] == b"EAGAIN" * FORKS


def test_refused_forks_are_told_with_their_cgroup(make_agent, small_cgroup):
    agent = make_agent(config=with_rules()).start()
    cgroup = f"/{small_cgroup.path.name}"
    wait_until(lambda: row_of(resources(agent)["processes"]["cgroups"], cgroup=cgroup), bool, "the cgroup's row")
    refuse_forks(small_cgroup)
    said = wait_until(
        lambda: [r for r in resources(agent)["processes"]["reasons"] if cgroup in r], bool, "a reason with the cgroup"
    )
    assert "forks were refused" in said[0]
    row = row_of(resources(agent)["processes"]["cgroups"], cgroup=cgroup)
    assert row["limit"] == 2 and row["forks_refused_total"] > 0
    assert agent.metric("moonwatch_cgroup_forks_refused_total", cgroup=cgroup) > 0
    alerts = wait_until(
        lambda: [
            a
            for a in agent.json("/alerts")["alerts"]
            if a["labels"].get("alertname") == "CgroupPids" and a["labels"].get("subject") == cgroup
        ],
        bool,
        "the alert",
    )
    assert alerts[0]["state"] == "firing" and alerts[0]["severity"] == "warning"


def test_a_process_at_its_limit_of_files_is_shown(agent):
    comm = own_name("-f")[-15:]
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN_ALL, "300", comm], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.read(6) == b"EMFILE"
        row = wait_until(lambda: row_of(resources(agent)["file_descriptors"]["processes"], comm=comm), bool, "the process's row")
        assert row["pid"] == process.pid
        assert row["limit"] == 300 and row["open"] == 300 and row["usage_percent"] == 100
        assert agent.metric("moonwatch_process_files_usage_ratio") == 1
    finally:
        process.communicate(b"x")
    wait_for(lambda: not row_of(resources(agent)["file_descriptors"]["processes"], comm=comm), what="the row to go")


def test_a_full_accept_queue_is_shown_with_its_port(agent):
    if resources(agent)["network"].get("listeners") is None:
        pytest.skip(resources(agent)["network"]["listeners_reason"])
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        port = server.getsockname()[1]
        agent.next_tick()
        clients = [socket.socket() for _ in range(8)]
        try:
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
            row = wait_until(
                lambda: row_of(resources(agent)["network"]["listeners"], port=port),
                lambda r: r and r["dropped_total"] > 0,
                "the listener's row",
            )
            assert row["usage_percent"] == 100 and row["queue"] == 2 and row["backlog"] == 1
            assert agent.metric("moonwatch_listener_dropped_total", port=port) > 0
            assert resources(agent)["network"]["tcp_listen_overflows_total"] > 0
        finally:
            for client in clients:
                client.close()
