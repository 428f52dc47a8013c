"""Network counters of the running agent against the kernel's own files and tools, on traffic of the
test's own; interfaces that come and go."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import wait_for

# Columns of /proc/net/dev and what we call them.
COLUMNS = {
    "received_bytes": 0,
    "received_packets": 1,
    "receive_errors": 2,
    "receive_drops": 3,
    "sent_bytes": 8,
    "sent_packets": 9,
    "send_errors": 10,
    "send_drops": 11,
}


def proc_net_dev():
    """{interface: {our name: value}}"""
    rows = {}
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, values = line.split(":")
        columns = [int(v) for v in values.split()]
        rows[name.strip()] = {ours: columns[i] for ours, i in COLUMNS.items()}
    return rows


def shown(agent):
    """The same from /metrics."""
    rows = {}
    for key, value in agent.metrics().items():
        match = re.fullmatch(r'moonwatch_network_(\w+)_total\{interface="([^"]+)"\}', key)
        if match:
            rows.setdefault(match[2], {})[match[1]] = value
    return rows


def nstat(*names):
    command = ["nstat", "-asz", *names]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.split()[0]: int(line.split()[1]) for line in out.splitlines() if not line.startswith("#")}


@pytest.fixture
def pair():
    """Two ends of a cable of the test's own, the far one in its own network namespace. It has no
    addresses, so that no other test's can be the same and nothing but the test sends on it."""
    if not shutil.which("ip"):
        pytest.skip("ip is not installed")
    space, near, far = f"moonwatch-{os.getpid()}", f"mwa{os.getpid()}", f"mwb{os.getpid()}"
    subprocess.run(["ip", "netns", "add", space], check=True)
    try:
        made = subprocess.run(
            ["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", space],
            capture_output=True, text=True,
        )
        if made.returncode:
            pytest.skip(f"this kernel has no veth: {made.stderr.strip()}")
        for name, words in ((near, ["ip"]), (far, ["ip", "-n", space])):
            subprocess.run([*words, "link", "set", name, "addrgenmode", "none", "up"], check=True)
        state = Path(f"/sys/class/net/{near}/operstate")
        wait_for(lambda: state.read_text().strip() == "up", what="the link")
        yield near
        subprocess.run(["ip", "link", "del", near], check=False, stderr=subprocess.DEVNULL)
    finally:
        subprocess.run(["ip", "netns", "del", space], check=True)


def send_frames(interface, count, size):
    local_experiment = 0x88B5  # an Ethernet type that nobody listens for
    header = bytes.fromhex("020000000002" "020000000001") + local_experiment.to_bytes(2, "big")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        for _ in range(count):
            sender.send(header + bytes(size - len(header)))


def test_every_interface_lies_between_two_readings(agent):
    before = proc_net_dev()
    agent.next_tick()
    ours = shown(agent)
    after = proc_net_dev()
    common = set(before) & set(after)
    assert common and common <= set(ours)
    for name in common:
        for column in COLUMNS:
            assert before[name][column] <= ours[name][column] <= after[name][column], (name, column)


def test_traffic_of_known_size(agent, pair):
    count, size = 200, 1042
    wait_for(lambda: pair in shown(agent), what="the new interface")
    agent.next_tick()
    before = shown(agent)[pair]
    send_frames(pair, count, size)
    agent.next_tick()
    ours = shown(agent)[pair]
    packets = ours["sent_packets"] - before["sent_packets"]
    octets = ours["sent_bytes"] - before["sent_bytes"]
    # A daemon of the host may greet a new interface, with a handful of small packets.
    assert count <= packets <= count + 20
    assert count * size <= octets <= count * size + 20 * 200
    row = next(r for r in agent.json("/health/resources")["network"]["interfaces"] if r["name"] == pair)
    assert row["sent_packets_total"] >= before["sent_packets"] + count


def test_an_interface_that_goes_is_gone(agent, pair):
    wait_for(lambda: pair in shown(agent), what="the new interface")
    subprocess.run(["ip", "link", "del", pair], check=True)
    wait_for(lambda: pair not in shown(agent), what="the interface to go")
    agent.next_tick()
    assert "lo" in shown(agent)


def test_tcp_counters_are_nstats(agent):
    """The kernel's host-wide counters lie between two readings of nstat, and count our traffic."""
    if not shutil.which("nstat"):
        pytest.skip("nstat is not installed")
    names = ["TcpOutSegs", "TcpRetransSegs"]
    start = nstat(*names)
    agent.next_tick()
    first = agent.metric("moonwatch_tcp_host_segments_sent_total")
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        served, _ = server.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(500):
            client.sendall(b"x")
            assert served.recv(1) == b"x"
        client.close()
        served.close()
    agent.next_tick()
    segments = agent.metric("moonwatch_tcp_host_segments_sent_total")
    retransmits = agent.metric("moonwatch_tcp_host_retransmits_total")
    end = nstat(*names)
    assert start["TcpOutSegs"] <= first <= segments <= end["TcpOutSegs"]
    assert start["TcpRetransSegs"] <= retransmits <= end["TcpRetransSegs"]
    assert segments - first >= 500


def sockstat():
    """{our name: value} of what nobody but this test is likely to change while it runs."""
    text = Path("/proc/net/sockstat").read_text()
    udp = re.search(r"UDP: inuse (\d+) mem (\d+)", text)
    return {
        "udp_sockets_in_use": int(udp[1]),
        "udp_memory_bytes": int(udp[2]) * os.sysconf("SC_PAGESIZE"),
    }


def test_sockets_are_those_of_the_kernel(agent):
    held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(40)]
    for one in held:
        one.bind(("127.0.0.1", 0))

    def agree():
        shown = agent.json("/health/resources")["network"]
        return all(shown[name] == value for name, value in sockstat().items())

    wait_for(agree, "the figures of /proc/net/sockstat")
    assert sockstat()["udp_sockets_in_use"] >= len(held)
    for one in held:
        one.close()
    wait_for(agree, "the figures of /proc/net/sockstat without these sockets")
