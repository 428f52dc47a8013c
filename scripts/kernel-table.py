#!/usr/bin/env python3
"""The table of probes by kernel in bpf/README.md, from what `moonwatch doctor` said in each guest.

Without --write it only says whether the table is current, by its exit status.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "bpf/README.md"
BEGIN, END = "<!-- kernels:begin -->", "<!-- kernels:end -->"


def kernels():
    """(name, title) of each kernel of the matrix."""
    for line in (ROOT / "tests/vm/kernels").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, title, _ = line.split()
            yield name, title.replace("_", " ")


def cell(program):
    if program is None:
        return "not in this build"
    if program["state"] == "attached":
        return f"yes, {program['method']}" if program.get("method") else "yes"
    if program["state"] == "unused":
        return program["reason"]
    return "no: " + program["reason"]


def row(cells):
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def table(directory):
    titles, doctors, capabilities = [], [], []
    for name, title in kernels():
        titles.append(title)
        report = json.loads((directory / name / "doctor.json").read_text())
        doctors.append({program["program"]: program for program in report["programs"]})
        held = (directory / name / "capabilities").read_text().split()
        capabilities.append(", ".join(f"`{capability}`" for capability in held))
    programs = {name: program for doctor in doctors for name, program in doctor.items()}
    lines = [row(["Program", "Hook", *titles]), row(["---"] * (2 + len(titles)))]
    for name, program in programs.items():
        hook = program["target"].partition("/")
        lines.append(row([f"`{name}`", f"{hook[0]} `{hook[2]}`", *(cell(doctor.get(name)) for doctor in doctors)]))
    lines.append(row(["*all of them need*", "", *capabilities]))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table")
    parser.add_argument("directory", type=Path, help="build-test/vm, left by the vm stage")
    arguments = parser.parse_args()
    try:
        fresh = table(arguments.directory)
    except FileNotFoundError as error:
        sys.exit(f"{error.filename}: not there: run scripts/test.sh vm, which boots every kernel")
    before, begin, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"bpf/README.md: {BEGIN} and {END} must be there")
    text = f"{before}{BEGIN}\n{fresh}\n{END}{after}"
    if arguments.write:
        README.write_text(text)
    elif text != README.read_text():
        sys.exit("bpf/README.md: its table of kernels differs from what the guests said")


main()
