#!/usr/bin/env bash
# What a snapshot of 1,000 processes costs: see tasks.c.
exec "${MOONWATCH_BUILD:?names the build directory}/tests/bench_tasks"
