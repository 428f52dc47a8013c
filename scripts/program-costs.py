#!/usr/bin/env python3
"""The table bpf/programs.txt: what each BPF program costs, by compiler and kernel.

Instructions are as clang compiled them; a kernel's steps are the instructions that its verifier walks
until it takes the program. Compared exactly, and only where the table holds: exit status 0 says that
nothing differs, 1 that something does, 77 that this is another compiler or kernel.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "bpf/programs.txt"
SKIPPED = 77
NOT_HERE = "-"
COMMAND = "scripts/program-costs.py --write"
HEAD = f"""\
# What each BPF program costs; written by {COMMAND}, compared by the bpf and vm stages.
# First the instructions, with those of the functions that it calls, as this compiler makes them:
# {{compiler}}
# Then, by kernel, the instructions that the verifier walks. A dash: not for this kernel.
"""


class Measured:
    """What tests/vm/guest/test_program_costs.c said on one kernel."""

    def __init__(self, lines):
        self.kernel, self.objects = lines[0].split()
        rows = [line.split(maxsplit=3) for line in lines[1:] if line]
        self.instructions = {row[0]: row[1] for row in rows}
        self.steps = {row[0]: row[2] for row in rows}


def measured_here(build):
    program = build / "tests/vm_test_program_costs"
    try:
        done = subprocess.run([program], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit(f"{program}: not there: build first")
    found = re.search(r"^@@file program_costs\n(.*?)^@@eof$", done.stdout, re.M | re.S)
    if done.returncode != 0 or not found:
        sys.exit(f"{program}: ended with {done.returncode}: {' '.join((done.stderr or done.stdout).split())[-300:]}")
    return Measured(found[1].splitlines())


def measured_by(build, guest):
    path = build / "vm" / guest / "program_costs"
    try:
        return Measured(path.read_text().splitlines())
    except FileNotFoundError:
        sys.exit(f"{path}: not there: run scripts/test.sh vm, which boots every kernel")


def guests():
    lines = (ROOT / "tests/vm/kernels").read_text().splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def compiler_of(build):
    path = build / "CMakeCache.txt"
    try:
        found = re.search(r"^CLANG:\w+=(.+)$", path.read_text(), re.M)
    except FileNotFoundError:
        sys.exit(f"{path}: not there: build first")
    return subprocess.run([found[1], "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


class Table:
    def __init__(self, text):
        lines = text.splitlines()
        self.compiler = lines[HEAD.splitlines().index("# {compiler}")].removeprefix("# ")
        head, *rows = (line.split() for line in lines if line and not line.startswith("#"))
        self.kernels = head[2:]
        self.instructions = {row[0]: row[1] for row in rows}
        self.steps = {kernel: {row[0]: row[2 + at] for row in rows} for at, kernel in enumerate(self.kernels)}


def text_of(compiler, all_measured):
    """One row a program; the widths follow from the names alone, so that a number changes one row."""
    programs = all_measured[0].instructions
    columns = [("instructions", programs), *((measured.kernel, measured.steps) for measured in all_measured)]
    wide = max(map(len, programs))
    lines = [f"{'program':{wide}}" + "".join(f"  {name}" for name, _ in columns)]
    for program in programs:
        lines.append(f"{program:{wide}}" + "".join(f"  {cells[program]:>{len(name)}}" for name, cells in columns))
    return HEAD.format(compiler=compiler) + "\n".join(lines) + "\n"


def write(build):
    here = measured_here(build)
    stale = []
    for guest in guests():
        path = build / "vm" / guest / "program_costs"
        if not path.is_file() or Measured(path.read_text().splitlines()).objects != here.objects:
            stale.append(guest)
    if stale:
        print(f"Booting {', '.join(stale)}, which measured other objects or none")
        with tempfile.TemporaryDirectory() as results:
            command = ["env", "ONLY=vm_test_program_costs", ROOT / "tests/vm/matrix.sh", build, results, *stale]
            subprocess.run(command, check=True)
    booted = [measured_by(build, guest) for guest in guests()]
    for guest, measured in zip(guests(), booted):
        if measured.objects != here.objects:
            sys.exit(f"{guest}: measured other objects than those in {build}")
    # One kernel may be here and in a guest.
    columns = {measured.kernel: measured for measured in [*booted, here]}
    if TABLE.is_file():
        for kernel in set(Table(TABLE.read_text()).kernels) - set(columns):
            print(f"No longer in the table, for it is neither here nor a guest: {kernel}")
    TABLE.write_text(text_of(compiler_of(build), list(columns.values())))


def differing(what, table, now):
    """A line for each program that costs something else than the table says."""
    for program in [*table, *(set(now) - set(table))]:
        said, found = table.get(program), now.get(program)
        if found is None:
            yield f"{program}: stands in the table, and is no program"
        elif said is None:
            yield f"{program}: does not stand in the table"
        elif said != found:
            yield f"{program}: {what[found == NOT_HERE].format(found)}, {what[said == NOT_HERE].format(said)} in the table"


def finish(errors, held):
    if not errors:
        print(f"{len(held)} programs cost what bpf/programs.txt says")
        return
    print("\n".join(errors), f"\nis it meant? then {COMMAND}", sep="")
    sys.exit(1)


def skip(what, held, here):
    print(f"bpf/programs.txt holds for {what} {held}, and this is {here}: {COMMAND} makes it hold here")
    sys.exit(SKIPPED)


def compare_instructions(table, measured, compiler):
    if compiler != table.compiler:
        # What it must have all the same: each program, and none that is gone.
        table.instructions, measured.instructions = ({name: "" for name in counts} for counts in (table.instructions, measured.instructions))
        errors = list(differing(("{}", "{}"), table.instructions, measured.instructions))
        if not errors:
            skip("the compiler", table.compiler, compiler)
    else:
        errors = list(differing(("{} instructions", "none"), table.instructions, measured.instructions))
    finish(errors, table.instructions)


def compare_steps(table, measured, compiler):
    if compiler != table.compiler:
        skip("the compiler", table.compiler, compiler)
    if measured.kernel not in table.kernels:
        skip("the kernels", ", ".join(table.kernels), measured.kernel)
    steps = table.steps[measured.kernel]
    finish(list(differing(("{} steps", "does not load"), steps, measured.steps)), steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, metavar="BUILD", nargs="?", default=ROOT / "build-test", help="build-test unless said otherwise")
    order = parser.add_mutually_exclusive_group(required=True)
    order.add_argument("--write", action="store_true", help="write the table, by this kernel and the guests of tests/vm")
    order.add_argument("--instructions", action="store_true", help="compare the instructions")
    order.add_argument("--steps", action="store_true", help="compare the steps of this kernel's verifier")
    order.add_argument("--steps-of", metavar="GUEST", choices=guests(), help="compare the steps that a guest left in BUILD/vm")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    if arguments.write:
        return write(build)
    compiler, table = compiler_of(build), Table(TABLE.read_text())
    if arguments.instructions:
        compare_instructions(table, measured_here(build), compiler)
    else:
        measured = measured_by(build, arguments.steps_of) if arguments.steps_of else measured_here(build)
        compare_steps(table, measured, compiler)


main()
