#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" of a JUnit file, then a line for each test not passed."""

import argparse
import sys
import xml.etree.ElementTree as ElementTree


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="what ctest or pytest left: build-test/results/*.xml")
    path = parser.parse_args().file
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        sys.exit(f"count-junit.py: {path}: {error}")
    passed, lines, failed, skipped = 0, [], 0, 0
    for case in cases:
        name = f"{case.get('classname', '')}::{case.get('name')}"
        bad = [child for child in case if child.tag in ("failure", "error")]
        skip = case.find("skipped")
        if skip is not None and (skip.get("message") or "").startswith("Unable to find executable"):
            bad = [skip]  # CTest's word for a program that was not built
        if bad:
            failed += 1
            lines.append(f"FAILED: {name}: {(bad[0].get('message') or '')[:200]}")
        elif skip is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
            reason = skip.get("message") if skip is not None else case.get("status")
            said = (case.findtext("system-out") or "").strip()
            if reason.startswith("SKIP_RETURN_CODE") and said:
                reason = said.splitlines()[-1]  # CTest's word for a program that says why itself
            lines.append(f"skipped: {name}: {reason}")
        else:
            passed += 1
    print(passed, failed, skipped)
    print("\n".join(lines))


main()
