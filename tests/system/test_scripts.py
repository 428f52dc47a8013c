"""Scripts say what they are for, and what is wrong with how they were called, without a traceback."""

import subprocess

import pytest
from conftest import DEADLINE_SECONDS, ROOT

FOLDER = ROOT / "scripts"
CALLED = [p for p in [*FOLDER.iterdir(), *(FOLDER / "checks").iterdir()] if p.is_file() and p.stat().st_mode & 0o100]


def run(path, *arguments):
    command = [str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("path", CALLED, ids=lambda path: path.name)
def test_help(path):
    done = run(path, "--help")
    assert done.returncode == 0 and done.stderr == "", done
    assert "usage: " in done.stdout and path.name in done.stdout


# The arguments of run.sh are those of `moonwatch run`.
@pytest.mark.parametrize("path", [p for p in CALLED if p.name != "run.sh"], ids=lambda path: path.name)
def test_an_unknown_option(path):
    done = run(path, "--walk")
    assert done.returncode == 2 and done.stdout == "", done
    assert done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("bench-table.py", ["table"]),
        ("count-junit.py", ["/nonexistent"]),
        ("count-junit.py", [__file__]),
        ("kernel-table.py", ["/nonexistent"]),
        ("program-costs.py", ["/nonexistent", "--steps"]),
        ("readme.py", ["--check", "/nonexistent"]),
        ("readme.py", ["--examples", "http://127.0.0.1:1"]),
        ("slowest-tests.py", ["/nonexistent"]),
    ],
)
def test_what_is_not_there(name, arguments):
    done = run(FOLDER / name, *arguments)
    assert done.returncode == 1 and done.stdout == "", done
    assert len(done.stderr.splitlines()) == 1


def test_a_skip_by_exit_status_has_its_reason(tmp_path):
    report = tmp_path / "ctest.xml"
    report.write_text(
        '<testsuite><testcase classname="bpf/it" name="bpf/it" status="notrun">'
        '<skipped message="SKIP_RETURN_CODE=77"/><system-out>at first\nnot on this kernel\n</system-out>'
        "</testcase></testsuite>"
    )
    done = run(FOLDER / "count-junit.py", report)
    assert done.stdout == "0 0 1\nskipped: bpf/it::bpf/it: not on this kernel\n"
