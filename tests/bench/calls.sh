#!/usr/bin/env bash
# What following calls costs: see calls.c.
exec "${MOONWATCH_BUILD:?names the build directory}/tests/bench_calls"
