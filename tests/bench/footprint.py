"""Memory, threads and idle CPU of the agent beside node_exporter, both having been scraped before
and nobody asking during the measurement."""

import time
from pathlib import Path

import peers

WINDOWS = 6
WINDOW_SECONDS = 10
SCRAPES_BEFORE = 20
# The first seconds read caches and map sizes that are then known.
SETTLE_SECONDS = 5


def pss_mib(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no Pss line")


def threads(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def main():
    figures = {"pss": {}, "threads": {}, "cpu": {}}
    with peers.agent() as ours, peers.node_exporter() as theirs:
        both = (ours, theirs)
        for peer in both:
            with peer.connect() as connection:
                for _ in range(SCRAPES_BEFORE):
                    peers.scrape(connection)
        time.sleep(SETTLE_SECONDS)
        for _ in range(WINDOWS):
            before = [(peers.cpu_seconds(peer.pid), time.monotonic()) for peer in both]
            time.sleep(WINDOW_SECONDS)
            for peer, (cpu, start) in zip(both, before):
                share = 100 * (peers.cpu_seconds(peer.pid) - cpu) / (time.monotonic() - start)
                figures["cpu"].setdefault(peer.name, []).append(share)
                figures["pss"].setdefault(peer.name, []).append(pss_mib(peer.pid))
                figures["threads"].setdefault(peer.name, []).append(threads(peer.pid))
    for key, title, unit, limit in (
        ("pss", "agent PSS", "MiB", 8),
        ("threads", "agent threads", "threads", 3),
        ("cpu", "agent CPU, idle", "% of a core", 0.2),
    ):
        of = figures[key]
        peers.report(title, unit, of[ours.name], theirs.name, of[theirs.name], limit)


main()
