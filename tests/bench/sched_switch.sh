#!/usr/bin/env bash
# What a context switch pays for the scheduler program: see sched_switch.c.
exec "${MOONWATCH_BUILD:?names the build directory}/tests/bench_sched_switch"
