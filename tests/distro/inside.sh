#!/usr/bin/env bash
# Run by distro.sh in that root: the sources are in /src, read-only, their build goes to /build.
set -euo pipefail

step() {
  "$@" >/build/build.log 2>&1 || {
    tail -n 60 /build/build.log
    exit 1
  }
}

ip link set lo up
# The objects of the kernel are not compiled by way of CMake's launcher.
PATH=/usr/lib/ccache:$PATH
step cmake -S /src -B /build -DCMAKE_C_COMPILER_LAUNCHER=ccache
step cmake --build /build --parallel "$(nproc)"
# The model of the breaker has nothing to do with the libraries.
ctest --test-dir /build --label-regex '^unit$' --exclude-regex '^model/' --parallel "$(nproc)" \
  --output-on-failure --no-tests=error --output-junit /results/distro-unit.xml \
  >/results/distro-unit.log 2>&1 || {
  status=$?
  tail -n 80 /results/distro-unit.log
  exit "$status"
}
