#!/usr/bin/env bash
# From the call that trips a breaker to the refusal of the next connect: see breaker.py.
exec /usr/bin/python3 "$(dirname "$0")/breaker.py"
