#!/usr/bin/env python3
"""Writes the generated parts of README.md, each between the markers <!-- NAME:begin --> and :end.

usage: readme.py [--check] BINARY     the configuration reference; --check: only says if it is old
       readme.py --examples URL       real answers of a running agent, lists cut to their first row
"""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
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


def main(arguments):
    text = README.read_text()
    if arguments[:1] == ["--examples"] and len(arguments) == 2:
        README.write_text(EXAMPLE.sub(example(arguments[1].rstrip("/")), text))
        return
    check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + check:
        sys.exit(__doc__)
    command = [arguments[-1], "check", "--reference"]
    reference = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    new = replaced(text, "reference", "\n" + reference + "\n")
    if check and new != text:
        sys.exit("README.md: the configuration reference is old (mend: scripts/readme.py BINARY)")
    README.write_text(new)


main(sys.argv[1:])
