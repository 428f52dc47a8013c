"""What the documentation says is so: its commands run as they stand there, against an agent at the usual
places, its configurations pass, and its answer of `moonwatch status` has the parts of a real one."""

import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import BINARY, DEADLINE_SECONDS, ROOT, wait_until

BLOCK = re.compile(r"(?P<before><!-- [^\n]* -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.S | re.M)
PAGES = sorted(path for path in ROOT.rglob("*.md") if not path.relative_to(ROOT).parts[0].startswith(("build", ".")))


def blocks(path, kind):
    """Texts of the page's blocks of that kind, but for those that are not run and those that are generated."""
    found = (block for block in BLOCK.finditer(path.read_text()) if block["kind"] == kind)
    return [block["text"] for block in found if not (block["before"] or "").startswith(("<!-- not run: ", "<!-- example "))]


RUN = [path for path in PAGES if blocks(path, "sh")]

# What the commands speak of: an alert that fires, a breaker, a channel.
SPOKEN_OF = {
    "upstreams": [{"name": "pay", "address": "127.0.0.1:9"}],
    "alert_manager": {
        "rules": [{"name": "SrvFull", "metric": "moonwatch_build_info", "above": 0, "for": 0, "severity": "error", "summary": "full"}],
        "channels": [{"name": "ops", "type": "log"}],
    },
}

# The usual port, and the usual directories with nothing in them but what others have there.
APART = """
mount -t tmpfs tmpfs "$1"
cp -a /etc/. "$1"
rm -rf "$1/moonwatch"
mkdir "$1/moonwatch"
mount --bind "$1" /etc
mount -t tmpfs tmpfs /run
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
echo ready
exec cat
"""


class Place:
    """A host apart: own network, own /etc, /run and bpffs, a copy of the tree, and an agent as a user starts it."""

    def __init__(self, directory):
        self.tree = directory / "tree"
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns("build*", ".git", "__pycache__"))
        for name in ("build", "build-test"):
            (self.tree / name).symlink_to(BINARY.parent.resolve())
        programs = directory / "programs"
        programs.mkdir()
        (programs / "moonwatch").symlink_to(BINARY.resolve())
        (programs / "sudo").write_text('#!/bin/sh\n[ "$1" != -E ] || shift\nexec "$@"\n')
        (programs / "sudo").chmod(0o755)
        own = ("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "MOONWATCH_CONFIG", "MOONWATCH_BINARY")
        self.environment = {key: value for key, value in os.environ.items() if key not in own}
        self.environment["PATH"] = f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin"
        (directory / "etc").mkdir()
        command = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-euc", APART, "sh", directory / "etc"]
        self.keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment, text=True)
        assert self.keeper.stdout.readline() == "ready\n"
        self.inside = ["nsenter", "--target", str(self.keeper.pid), "--mount", "--net"]

    def run(self, text):
        """The commands one after the other, to the first that fails."""
        command = [*self.inside, "bash", "-euo", "pipefail", "-c", f"cd '{self.tree}'\n{text}"]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=DEADLINE_SECONDS, stdin=subprocess.DEVNULL
        )

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait(DEADLINE_SECONDS)


@pytest.fixture
def place(make_agent, tmp_path):
    place = Place(tmp_path)
    yield place
    place.close()


def refused(output):
    """A line with which the agent refused what curl asked: curl itself is content with any answer."""
    return [line for line in output.splitlines() if line.startswith('{"error"')]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_run(place, make_agent, page):
    if not (BINARY.parent / "CTestTestfile.cmake").exists():
        pytest.skip("needs a build with the tests: scripts/test.sh makes it")
    agent = make_agent(environment={"RUNTIME_DIRECTORY": "/run/moonwatch"})
    agent.command = [*place.inside, str(BINARY.resolve()), "run"]
    # The README begins where nothing is configured yet.
    if page != ROOT / "README.md":
        assert place.run(f"cat >/etc/moonwatch/monitoring.json <<'END'\n{json.dumps(SPOKEN_OF)}\nEND").returncode == 0
    agent.start()
    if page != ROOT / "README.md":
        agent.wait_log(lambda e: e.get("msg") == "Alert fires" and e.get("alert") == "SrvFull")
    wait_until(lambda: place.run("moonwatch status"), lambda run: run.returncode == 0, "an answer of the agent")
    for text in blocks(page, "sh"):
        run = place.run(text)
        assert run.returncode == 0 and not refused(run.stdout), f"{text}\n{run.stdout}\n{run.stderr}"
    assert agent.process.poll() is None


def test_the_configurations_pass(tmp_path):
    texts = [text for path in PAGES if path.parent.name != "http" for text in blocks(path, "json")]
    assert len(texts) > 2
    for text in texts:
        path = tmp_path / "checked.json"
        path.write_text(text)
        run = subprocess.run([BINARY, "check", path], capture_output=True, text=True, timeout=DEADLINE_SECONDS)
        assert run.returncode == 0, run.stderr
        assert all("/secret_file: warning: " in line for line in run.stderr.splitlines()), run.stderr


def parts(status):
    """What the lines of a summary are about, as far as they are there on every host."""
    return set(re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", status.partition("\nLately\n")[0], re.M))


def test_the_answer_of_status_has_the_parts_of_a_real_one(agent):
    (shown,) = [text for text in blocks(ROOT / "README.md", "text") if ", up " in text]

    def real():
        command = [BINARY, "status", "--url", agent.url]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS).stdout

    assert len(parts(shown)) > 8
    wait_until(lambda: parts(real()), lambda found: parts(shown) <= found, f"all of {sorted(parts(shown))}")
