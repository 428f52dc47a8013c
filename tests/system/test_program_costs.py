"""scripts/program-costs.py compares exactly where the table holds, and says where it does not."""

import shlex
import subprocess

import pytest
from conftest import DEADLINE_SECONDS, ROOT

TABLE = (ROOT / "bpf/programs.txt").read_text().splitlines()
COMPILER = TABLE[2].removeprefix("# ")
KERNELS = TABLE[4].split()[2:]
ROWS = [row.split() for row in TABLE[5:]]
SKIPPED = 77


class Build:
    """A build that says what the test wants of its compiler and of the kernel."""

    def __init__(self, directory):
        self.directory, self.compiler, self.kernel = directory, COMPILER, KERNELS[-1]
        self.rows = [[row[0], row[1], row[-1]] for row in ROWS]
        (directory / "tests").mkdir()
        (directory / "CMakeCache.txt").write_text(f"CLANG:FILEPATH={directory}/clang\n")

    def says(self, name, text):
        path = self.directory / name
        path.write_text(f"#!/bin/sh\necho {shlex.quote(text)}\n")
        path.chmod(0o755)

    def measured(self):
        return "\n".join([f"{self.kernel} 0123456789abcdef", *(" ".join(row) for row in self.rows)])

    def compare(self, *order):
        self.says("clang", self.compiler)
        self.says("tests/vm_test_program_costs", f"@@file program_costs\n{self.measured()}\n@@eof")
        command = [ROOT / "scripts/program-costs.py", self.directory, *order]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)


@pytest.fixture
def build(tmp_path):
    return Build(tmp_path)


@pytest.mark.parametrize("order", ["--instructions", "--steps"])
def test_what_stands_in_the_table(build, order):
    done = build.compare(order)
    assert done.returncode == 0 and done.stderr == "", done
    assert f"{len(ROWS)} programs" in done.stdout


@pytest.mark.parametrize("order, column", [("--instructions", 1), ("--steps", 2)])
def test_one_more(build, order, column):
    was = build.rows[3][column]
    build.rows[3][column] = str(int(was) + 1)
    done = build.compare(order)
    assert done.returncode == 1, done
    assert done.stdout.startswith(f"{build.rows[3][0]}: {int(was) + 1} {order[2:]}, {was} {order[2:]} in the table\n")
    assert "scripts/program-costs.py --write" in done.stdout


def test_one_that_loads_no_more(build):
    build.rows[0][2] = "-"
    done = build.compare("--steps")
    assert done.returncode == 1 and f"{build.rows[0][0]}: does not load, " in done.stdout, done


def test_one_of_a_guest(build):
    guest = build.directory / "vm/6.1-amd64"
    guest.mkdir(parents=True)
    (guest / "program_costs").write_text(build.measured())
    assert build.compare("--steps-of", "6.1-amd64").returncode == 0
    build.rows[0][2] += "0"
    (guest / "program_costs").write_text(build.measured())
    assert build.compare("--steps-of", "6.1-amd64").returncode == 1


def test_another_compiler(build):
    build.compiler = "clang version 99.0"
    build.rows[0][1] = build.rows[0][2] = "1"
    for order in ("--instructions", "--steps"):
        done = build.compare(order)
        assert done.returncode == SKIPPED, done
        assert COMPILER in done.stdout and build.compiler in done.stdout and len(done.stdout.splitlines()) == 1


def test_another_kernel(build):
    build.kernel = "99.0"
    build.rows[0][2] = "1"
    done = build.compare("--steps")
    assert done.returncode == SKIPPED, done
    assert ", ".join(KERNELS) in done.stdout and "this is 99.0" in done.stdout
    assert build.compare("--instructions").returncode == 0


# Whatever the compiler: a program has a row.
@pytest.mark.parametrize("compiler", [COMPILER, "clang version 99.0"])
def test_programs_that_came_and_went(build, compiler):
    build.compiler = compiler
    gone, came = build.rows.pop(0)[0], "tcp/tcp_unheard_of"
    build.rows.append([came, "1", "1"])
    done = build.compare("--instructions")
    assert done.returncode == 1, done
    assert f"{gone}: stands in the table, and is no program" in done.stdout
    assert f"{came}: does not stand in the table" in done.stdout
