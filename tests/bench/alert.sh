#!/usr/bin/env bash
# From a crash to the webhook: see alert.py.
exec python3 "$(dirname "$0")/alert.py"
