#!/usr/bin/env bash
# What two processes that do nothing but switch pay for the whole agent: see pipe.py.
exec python3 "$(dirname "$0")/pipe.py"
