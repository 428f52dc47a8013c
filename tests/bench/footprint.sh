#!/usr/bin/env bash
# Memory, threads and idle CPU beside node_exporter: see footprint.py.
exec python3 "$(dirname "$0")/footprint.py"
