#!/usr/bin/env python3
"""Turns the benchmarks' JSON lines into a table (or passes them on); exit 1 when a figure is missed.

A line: name, unit, ours, peer_name, peer, ratio, required (text), ok, repetitions, spread_percent.
"""

import argparse
import json
import sys


def figure(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def print_table(rows):
    table = [["what", "ours", "unit", "beside", "theirs", "ratio", "required", "met", "n", "spread"]]
    for row in rows:
        table.append(
            [
                row["name"],
                figure(row["ours"]),
                row["unit"],
                row.get("peer_name") or "-",
                figure(row.get("peer")),
                figure(row.get("ratio")),
                row.get("required") or "-",
                {True: "yes", False: "NO", None: "-"}[row.get("ok")],
                str(row.get("repetitions", "-")),
                f"{row['spread_percent']:.0f} %" if row.get("spread_percent") is not None else "-",
            ]
        )
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", choices=["table", "json"], help="what to make of the lines of standard input")
    wanted = parser.parse_args().format
    rows = [json.loads(line) for line in sys.stdin if line.startswith("{")]
    if not rows:
        sys.exit("bench: no figure was measured")
    if wanted == "table":
        print_table(rows)
    else:
        for row in rows:
            print(json.dumps(row))
    sys.exit(0 if all(row.get("ok") is not False for row in rows) else 1)


main()
