#!/usr/bin/env python3
"""Turns what a guest reported into a JUnit file, and the files it handed over into files.

usage: results.py NAME DIRECTORY JUNIT

DIRECTORY/relocations.log is what was found without a boot, DIRECTORY/result.log what
tests/vm/guest/init wrote. A guest that did not come to its end, a
program that ended without a verdict and a skip without a reason are failures; so is a guest in which
nothing ran.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

VERDICT = re.compile(r"\[ +(RUN|OK|FAILED|SKIPPED) +\] (\w+(?: \(\w+\))?)$")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Report:
    def __init__(self, name):
        self.suite = ElementTree.Element("testsuite", name=name)
        self.name = name

    def add(self, program, case, verdict, text="", seconds=0.0):
        node = ElementTree.SubElement(
            self.suite, "testcase", classname=f"{self.name}.{program}", name=case, time=f"{seconds:.2f}"
        )
        if verdict == "OK":
            return
        text = re.sub(r"[^\t\n\x20-\x7e]", "?", text).strip()
        message = " ".join(text.split()) if verdict == "SKIPPED" else last_error(text)
        if verdict == "SKIPPED" and not message:
            verdict, message = "FAILED", "skipped without a reason"
        tag = "skipped" if verdict == "SKIPPED" else "failure"
        ElementTree.SubElement(node, tag, message=message).text = text


def last_error(text):
    """The line a reader wants first: cmocka's, and the place it names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("[ FAILED", "[  PASSED"))]
    return " ".join(useful[-3:])[:300] if useful else "no output"


def read_cases(report, program, lines, code, seconds):
    """cmocka's output: what stands between RUN and the verdict belongs to that case."""
    running, text, seen, failed, cases = None, [], 0, 0, set()
    for line in lines:
        found = VERDICT.search(ANSI.sub("", line))
        if found is None or (found[1] != "RUN" and found[2] in cases):
            text.append(line)
            continue
        if found[1] == "RUN":
            running, text = found[2], []
            continue
        report.add(program, found[2], found[1], "\n".join(text))
        cases.add(found[2])
        seen, failed, running, text = seen + 1, failed + (found[1] == "FAILED"), None, []
    if running:
        report.add(program, running, "FAILED", "\n".join(text) + f"\nended with code {code} while this ran")
    elif seen == 0 or (code != 0 and failed == 0):
        report.add(program, "exit", "FAILED", "\n".join(lines[-20:]) + f"\nended with code {code}")
    report.suite.set("seconds_" + program, f"{seconds:.2f}")


class Reader:
    """Follows the lines of a log: what a program says, what it hands over, how it ends."""

    def __init__(self, report, directory):
        self.report, self.directory = report, directory
        self.program, self.lines, self.handed = None, [], None
        self.programs, self.kernel, self.done = 0, "", False

    def read(self, log):
        for line in log.read_text(errors="replace").splitlines() if log.exists() else []:
            # A program that died leaves its last line open.
            before, mark, order = line.rstrip("\r").partition("@@")
            words = order.split()
            if mark and words and hasattr(self, "on_" + words[0]):
                (self.lines if self.handed is None else self.handed).append(before)
                getattr(self, "on_" + words[0])(words[1:])
            else:
                (self.lines if self.handed is None else self.handed).append(line.rstrip("\r"))

    def on_kernel(self, words):
        self.kernel = words[0]

    def on_broken(self, words):
        self.report.add("guest", "init", "FAILED", " ".join(words))

    def on_test(self, words):
        self.program, self.lines = words[0], []

    def on_end(self, words):
        seconds = int(words[2]) / 100
        read_cases(self.report, self.program, self.lines, int(words[1]), seconds)
        print(f"{self.report.name} {self.program} {seconds:.1f}s code {words[1]}")
        self.program, self.programs = None, self.programs + 1

    def on_file(self, words):
        self.handed, self.handed_name = [], Path(words[0]).name

    def on_eof(self, _words):
        text = "\n".join(line for line in self.handed if line)
        (self.directory / self.handed_name).write_text(text + "\n")
        self.handed = None

    def on_done(self, _words):
        self.done = True


def main():
    name, directory, junit = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    report = Report(name)
    Reader(report, directory).read(directory / "relocations.log")
    guest = Reader(report, directory)
    guest.read(directory / "result.log")
    if guest.program:
        read_cases(report, guest.program, guest.lines, "none: the guest was gone", 0)
    if guest.done and guest.programs > 0:
        report.add("guest", f"booted {guest.kernel}", "OK")
    else:
        console = directory / "console.log"
        tail = console.read_text(errors="replace")[-3000:] if console.exists() else ""
        report.add(
            "guest", "run", "FAILED", f"{tail}\nthe guest did not come to its end, {guest.programs} programs ran"
        )
    ElementTree.ElementTree(report.suite).write(junit, encoding="unicode")


main()
