"""How long a scrape of /metrics takes on a kept connection, beside node_exporter.

The scrapes are paced, so that some of each round (a tick is a second) meet a page that has to be
rendered first, as a scraper's would: these are what the 99th percentile shows. `fresh` are scrapes
that all do.
"""

import gc
import time

import peers

ROUNDS = 5
SCRAPES = 200
PACE_SECONDS = 0.005
FRESH_SCRAPES = 15
TICK_SECONDS = 1.0


def timed(connection):
    start = time.perf_counter()
    status, size = peers.scrape(connection)
    elapsed = time.perf_counter() - start
    assert status == 200 and size > 1000
    return elapsed * 1000


def paced(connection, count, pace_seconds):
    times = []
    for _ in range(count):
        time.sleep(pace_seconds)
        times.append(timed(connection))
    return sorted(times)


def percentile(times, share):
    return times[min(len(times) - 1, int(share * len(times)))]


def main():
    p50, p99, fresh = {}, {}, {}
    gc.disable()
    with peers.agent() as ours, peers.node_exporter() as theirs:
        both = [(peer.name, peer.connect()) for peer in (ours, theirs)]
        for _ in range(ROUNDS):
            for name, connection in both:
                times = paced(connection, SCRAPES, PACE_SECONDS)
                p50.setdefault(name, []).append(percentile(times, 0.50))
                p99.setdefault(name, []).append(percentile(times, 0.99))
        for _ in range(FRESH_SCRAPES):
            time.sleep(TICK_SECONDS)
            for name, connection in both:
                fresh.setdefault(name, []).append(timed(connection))
        for _, connection in both:
            connection.close()
    for title, times, limit in (
        ("/metrics p50, 200 scrapes", p50, 0.3),
        ("/metrics p99, 200 scrapes", p99, 2),
        ("/metrics, page not yet rendered", fresh, None),
    ):
        peers.report(title, "ms", times["moonwatch"], theirs.name, times[theirs.name], limit)


main()
