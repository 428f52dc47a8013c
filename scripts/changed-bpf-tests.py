#!/usr/bin/env python3
"""The programs of tests/bpf that a change concerns, as alternatives of a regular expression.

Changed is what differs from the last commit, or what the last commit changed if nothing does. A test
is concerned by its own text, by the headers that it includes, and by the objects whose concerns it
names; what loads every object concerns every test.
"""

import argparse
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
EVERY = ("user/probe/", "user/collect/", "user/model/", "user/base/", "vmlinux/", "bpf/CMakeLists.txt", "tests/CMakeLists.txt")
COSTS = ("bpf/programs.txt", "scripts/program-costs.py", "tests/vm/guest/test_program_costs.c")


def git(*arguments):
    return subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, *arguments], capture_output=True, text=True, check=True).stdout.split()


def changed():
    now = git("diff", "--name-only", "HEAD") + git("ls-files", "--others", "--exclude-standard")
    return now or git("diff", "--name-only", "HEAD^", "HEAD")


def reached(path, seen):
    """The file and all that it includes from bpf/, include/ and its own folder."""
    if path in seen:
        return seen
    seen.add(path)
    for name in INCLUDE.findall(path.read_text()):
        name = name.replace(".skel.h", ".bpf.c")
        for folder in (path.parent, ROOT / "bpf", ROOT / "include"):
            if (folder / name).is_file():
                reached(folder / name, seen)
    return seen


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    files = {ROOT / name for name in changed()}
    every = any(str(path.relative_to(ROOT)).startswith(EVERY) for path in files)
    objects = {
        path.name.removesuffix(".bpf.c").upper()
        for path in (ROOT / "bpf").glob("*.bpf.c")
        if reached(path, set()) & files
    }
    concerned = re.compile(rf"\bCONCERN_({'|'.join(objects)})\b" if objects else r"(?!)")
    found = set()
    for test in (ROOT / "tests/bpf").glob("test_*.c"):
        own = reached(test, set())
        if every or own & files or any(concerned.search(path.read_text()) for path in own):
            found.add(test.stem)
    if every or objects or files & {ROOT / name for name in COSTS}:
        found |= {"program_instructions", "program_steps"}
    print("|".join(sorted(found)))


main()
