#!/usr/bin/env python3
"""Writes what is generated of the documentation: the references of keys and of metrics as BINARY says them, each
between <!-- NAME:begin --> and :end, or the answers of a running agent in user/http/README.md, each below its
<!-- example ROUTE -->."""

import argparse
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = ROOT / "user/http/README.md"
# Page, name of the markers, option of `moonwatch check`.
REFERENCES = [("config/README.md", "reference", "--reference"), ("user/facts/README.md", "metrics", "--metrics")]
EXAMPLE = re.compile(r"<!-- example (?P<path>\S+) -->\n```\w*\n.*?```\n", re.S)
METRICS_SHOWN = 12
LINE_COLUMNS = 110


def replaced(text, name, content):
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    head, rest = text.split(begin, 1)
    return head + begin + content + end + rest.split(end, 1)[1]


def shortened(value):
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shortened(inner) for inner in value[:1]]
    return value


def laid_out(value, indent=0):
    """JSON in which whatever fits stands on one line."""
    line = json.dumps(value)
    if not isinstance(value, (dict, list)) or len(line) + indent <= LINE_COLUMNS:
        return line
    pad = " " * (indent + 2)
    if isinstance(value, list):
        inner = [pad + laid_out(item, indent + 2) for item in value]
        return "[\n" + ",\n".join(inner) + "\n" + " " * indent + "]"
    inner = [f"{pad}{json.dumps(key)}: {laid_out(item, indent + 2)}" for key, item in value.items()]
    return "{\n" + ",\n".join(inner) + "\n" + " " * indent + "}"


def fetched(url, path):
    try:
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            body = answer.read().decode()
    except urllib.error.HTTPError as error:
        body = error.read().decode()
    if path == "/metrics":
        return "text", "\n".join(body.splitlines()[:METRICS_SHOWN]) + "\n"
    return "json", laid_out(shortened(json.loads(body))) + "\n"


def example(url):
    def write(match):
        language, body = fetched(url, match["path"])
        return f"<!-- example {match['path']} -->\n```{language}\n{body}```\n"

    return write


def refer(path, name, command, check):
    try:
        reference = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"readme.py: {error} (allowed: a moonwatch that was built from this tree)")
    text = path.read_text()
    new = replaced(text, name, "\n" + reference + "\n")
    if check and new != text:
        sys.exit(f"{path.relative_to(ROOT)}: the reference is old (mend: scripts/readme.py BINARY)")
    path.write_text(new)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say if a reference is old, by the exit status")
    parser.add_argument("--examples", metavar="URL", help="real answers of the agent there, lists cut to their first row")
    parser.add_argument("binary", nargs="?", metavar="BINARY", help="moonwatch, as build-test/moonwatch")
    arguments = parser.parse_args()
    if bool(arguments.examples) == bool(arguments.binary) or (arguments.examples and arguments.check):
        parser.error("one of BINARY (or --check BINARY) and --examples URL")
    return arguments


def main():
    arguments = parsed()
    if arguments.examples:
        try:
            ANSWERS.write_text(EXAMPLE.sub(example(arguments.examples.rstrip("/")), ANSWERS.read_text()))
        except (OSError, ValueError) as error:
            sys.exit(f"readme.py: {arguments.examples}: {error}")
        return
    for page, name, option in REFERENCES:
        refer(ROOT / page, name, [arguments.binary, "check", option], arguments.check)


main()
