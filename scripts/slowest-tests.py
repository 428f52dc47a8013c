#!/usr/bin/env python3
"""The ten slowest tests of the JUnit files in a directory, with their seconds."""

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

COUNT = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="build-test/results, left by test.sh")
    directory = parser.parse_args().directory
    found = []
    for path in directory.glob("*.xml"):
        try:
            cases = list(ElementTree.parse(path).iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"slowest-tests.py: {path}: {error}", file=sys.stderr)
            continue
        for case in cases:
            found.append((float(case.get("time") or 0), case.get("classname", ""), case.get("name") or ""))
    if not found:
        sys.exit(f"slowest-tests.py: {directory}: no JUnit file with tests (scripts/test.sh leaves some)")
    for seconds, group, name in sorted(found, reverse=True)[:COUNT]:
        print(f"{seconds:7.1f} s  {name if name.startswith(group) else f'{group}::{name}'}")


main()
