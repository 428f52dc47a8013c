#!/usr/bin/env bash
# What a connect() pays for the breakers: see connect.c.
exec "${MOONWATCH_BUILD:?names the build directory}/tests/bench_connect"
