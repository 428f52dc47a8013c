#!/usr/bin/env bash
# Records through the ring buffer, with room and overloaded on purpose: see ring.c.
exec "${MOONWATCH_BUILD:?names the build directory}/tests/bench_ring"
