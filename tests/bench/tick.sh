#!/usr/bin/env bash
# What a tick costs, beside a floor, and how that grows with the host: see tick.py.
exec python3 "$(dirname "$0")/tick.py"
