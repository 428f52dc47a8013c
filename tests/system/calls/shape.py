"""What a shape is, and what is right of it."""

import time
from dataclasses import dataclass, field

from conftest import DEADLINE_SECONDS, cgroup2_mount, wait_until

from calls.world import PLACES, Place, Processes

MODES = ("observe", "enforce")
THRESHOLD = 5
NEAR = 0.15
ANY = (0, float("inf"))
# A time-out of calls that ends within a test; shapes that need another say so.
TIMEOUT_SECONDS = 2

SHAPES = {}


@dataclass
class Right:
    """What has to be seen of what was done. Ranges include their ends."""

    calls: tuple = ANY
    failed: tuple = ANY
    state: str = "closed"  # or several, when it depends on time whether connects were refused before
    latency: tuple = None  # the median, in seconds; None: not judged
    latency_may_hide: bool = False  # none is right too
    note: str = ""  # why a figure is not judged
    harm: str = ""  # what clients suffered that they must not

    @classmethod
    def healthy(cls, calls, latency=None, note=""):
        return cls((calls, calls) if isinstance(calls, int) else calls, (0, 0), "closed", latency, note=note)

    @classmethod
    def outage(cls, calls=ANY):
        """How many calls there were depends on when the breaker opened; whether one that the caller gave up is
        called failed is the model's affair."""
        return cls(calls=calls, state="open")


@dataclass
class Shape:
    name: str
    drive: object  # drive(Variant) -> Right
    upstream: dict
    breaker: dict
    places: tuple
    address: object = None


def shape(name, places=PLACES, upstream=None, breaker=None, address=None):
    """Registers a function that drives a Variant and returns what is right."""

    def register(drive):
        assert name not in SHAPES
        SHAPES[name] = Shape(name, drive, upstream or {}, breaker or {}, places, address)
        return drive

    return register


class Variant(Processes):
    """A shape at a place in a mode, with an upstream of its own."""

    def __init__(self, world, shape, place, mode):
        super().__init__(Place(world, place), world.port())
        self.shape, self.mode = shape, mode
        self.name = f"{place}-{mode}"
        self.host = self.place.host
        self.round_trip = self.place.round_trip
        self.agent = None  # that watches it
        self.latency = None
        self.label = f"{shape.name} {place} {mode}"

    def upstream(self):
        address = self.shape.address(self) if self.shape.address else f"{self.host}:{self.port}"
        return {
            "name": self.name,
            "address": address,
            "clients": {"cgroup": str(self.world.cgroup.path.relative_to(cgroup2_mount()))},
            "breaker": {
                "mode": self.mode,
                "failure_threshold": THRESHOLD,
                "recovery_timeout": 600,
                "max_recovery_timeout": 600,
                "timeout": TIMEOUT_SECONDS,
                **self.shape.breaker,
            },
            **self.shape.upstream,
        }

    def url(self, path="/", scheme="http"):
        return f"{scheme}://{self.host}:{self.port}{path}"

    def run(self, command, **kwargs):
        """What a client said until its end, whatever that was."""
        said, _ = self.client(command, **kwargs).communicate(timeout=DEADLINE_SECONDS)
        return said

    def beside(self, commands, **kwargs):
        """What clients at the same time said."""
        running = [self.client(command, **kwargs) for command in commands]
        return [process.communicate(timeout=DEADLINE_SECONDS)[0] for process in running]

    def drive(self):
        """What is right. The latency is kept, for what the agent shows of it is that of its window."""
        right = self.shape.drive(self)
        self.agent.next_tick()
        self.latency = look(self.agent, [self.name])[self.name].latency
        return right

    def until(self, state):
        """The breaker is in it."""
        wait_until(lambda: look(self.agent, [self.name])[self.name].state, lambda now: now == state, state)

    def past_timeout(self):
        time.sleep(TIMEOUT_SECONDS + 0.5)  # on purpose: what is open meanwhile must not be judged hung


@dataclass
class Seen:
    calls: float = 0
    failed: float = 0
    reasons: dict = field(default_factory=dict)
    abandoned: float = 0
    state: str = None
    latency: float = None
    enforced: bool = None
    refused: float = 0  # or would have been, if it is only observed

    def wrongs(self, right, mode):
        """What of it is not right, in words."""
        wrong = [right.harm] if right.harm else []
        for what in ("calls", "failed"):
            value, (low, high) = getattr(self, what), getattr(right, what)
            if not low <= value <= high:
                wrong.append(f"{what} {value:.0f}, right: {low:g}" + (f" to {high:g}" if low != high else ""))
        if isinstance(right.state, tuple):
            if self.state not in right.state:
                wrong.append(f"breaker {self.state}, right: {' or '.join(right.state)}")
        elif self.state != right.state:
            wrong.append(f"breaker {self.state}, right: {right.state}")
        elif bool(self.refused) != (right.state == "open"):
            wrong.append(f"{self.refused:.0f} connects refused while {self.state}")
        if self.enforced != (mode == "enforce"):
            wrong.append(f"enforced: {self.enforced}")
        if right.latency and not (right.latency_may_hide and self.latency is None):
            low, high = right.latency
            if self.latency is None or not (1 - NEAR) * low <= self.latency <= (1 + NEAR) * high:
                shown = "none" if self.latency is None else f"{self.latency * 1e3:.2f} ms"
                wrong.append(f"latency {shown}, right: {low * 1e3:.2f} to {high * 1e3:.2f} ms")
        return wrong


REFUSED = ("moonwatch_breaker_connects_refused_total", "moonwatch_breaker_connects_would_refuse_total")


def look(agent, names):
    """{name: Seen} of upstreams."""
    seen = {name: Seen() for name in names}
    for key, value in agent.metrics().items():
        metric, _, labels = key.rstrip("}").partition("{")
        if not metric.startswith(("moonwatch_service_", "moonwatch_breaker_")):
            continue
        labels = dict(pair.split("=", 1) for pair in labels.replace('"', "").split(",") if "=" in pair)
        row = seen.get(labels.get("name", labels.get("upstream")))
        if row is None:
            continue
        if metric == "moonwatch_service_calls_total":
            row.calls = value
        elif metric == "moonwatch_service_calls_failed_total":
            row.failed = value
        elif metric == "moonwatch_service_calls_abandoned_total":
            row.abandoned = value
        elif metric == "moonwatch_service_failures_total" and value:
            row.reasons[labels.get("reason", "?")] = value
        elif metric == "moonwatch_service_latency_p50_seconds":
            row.latency = value
        elif metric == "moonwatch_breaker_enforced":
            row.enforced = bool(value)
        elif metric in REFUSED:
            row.refused += value
        elif metric == "moonwatch_breaker_state" and value:
            row.state = labels["state"]
    return seen


def judge(agent, variants, rights):
    """{name: (Seen, wrongs)} after a tick, and after another one while breakers are newly seen open."""
    knocked = set()
    agent.next_tick()
    while True:
        seen = look(agent, rights)
        for variant in variants:
            if seen[variant.name].latency is None:
                seen[variant.name].latency = variant.latency
        news = [
            v
            for v in variants
            if v.name not in knocked and seen[v.name].state == rights[v.name].state == "open"
        ]
        for variant in news:
            knocked.add(variant.name)
            variant.run(["curl", "-s", "-m", "1", variant.url()])
        verdict = {v.name: (seen[v.name], seen[v.name].wrongs(rights[v.name], v.mode)) for v in variants}
        if not news or not any(wrongs for _, wrongs in verdict.values()):
            return verdict
        agent.next_tick()


def row(label, seen, wrongs, note):
    """Of the table."""
    latency = "-" if seen.latency is None else f"{seen.latency * 1e3:.2f} ms"
    reasons = " ".join(f"{why}={count:.0f}" for why, count in sorted(seen.reasons.items()))
    verdict = "right" if not wrongs else "WRONG: " + "; ".join(wrongs)
    counted = f"{seen.calls:.0f}" + (f" ({seen.abandoned:.0f} abandoned)" if seen.abandoned else "")
    failed = f"{seen.failed:.0f}" + (f" ({reasons})" if reasons else "")
    return f"{label:<60} | {counted:>18} | {latency:>10} | {failed:<28} | {seen.state or '-':<6} | {verdict}" + (
        f" [{note}]" if note else "")


HEADING = f"{'shape':<60} | {'counted':>18} | {'latency':>10} | {'failed':<28} | state  | verdict"
