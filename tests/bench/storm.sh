#!/usr/bin/env bash
# What a storm of alerts writes, and what a dead receiver holds: see storm.py.
exec python3 "$(dirname "$0")/storm.py"
