#!/usr/bin/env bash
# Checks breaker.pml: every interleaving for the assertions, one CPU for what must come about at
# last; then that each mutant fails, so that a model which could not fail is noticed.
set -euo pipefail

MODEL=$(cd "$(dirname "$0")" && pwd)/breaker.pml
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"

# compile NAME "SPIN DEFINES" GCC_OPTION...
compile() {
  local name=$1 defines=$2
  shift 2
  # shellcheck disable=SC2086
  spin $defines -a "$MODEL" >spin.log || { cat spin.log; exit 1; }
  gcc -w "$@" -o "$name" pan.c
}

# passes RESULT-FILE: complete, and without an error.
passes() {
  grep -q 'errors: 0' "$1" && ! grep -qE 'max search depth too small|out of memory' "$1"
}

# check LABEL COMMAND...: must pass.
check() {
  local label=$1
  shift
  "$@" -m100000 -w22 >result.log 2>&1 || true
  if ! passes result.log; then
    echo "FAILED: $label"
    cat result.log
    exit 1
  fi
  echo "$label: $(grep -oE '[0-9]+ states, stored' result.log) in $(sed -n 's/^pan: elapsed time //p' result.log)"
}

# refuted MUTANT COMMAND...: must find an error.
refuted() {
  local mutant=$1
  shift
  "$@" -m100000 -w22 >result.log 2>&1 || true
  if ! grep -q 'errors: 1' result.log; then
    echo "FAILED: the mutant $mutant passes"
    cat result.log
    exit 1
  fi
  echo "$mutant is refuted: $(grep -m1 '^pan:1:' result.log || echo 'a cycle without progress')"
}

SAFETY=(-DSAFETY -DNOCLAIM)
compile safety "" -O2 "${SAFETY[@]}"
check 'two CPUs' ./safety
compile progress "-DCPUS=1" -DNFAIR=3
for claim in open_ends half_open_ends counted_is_acted_on expires; do
  check "$claim" ./progress -a -f -N "$claim"
done

# Breadth first: the shortest way to the error is found long before the rest is searched.
for mutant in NO_SWAP NO_ATOMIC_TICKET NO_ZERO_BEFORE NO_GRACE NO_EPOCH; do
  compile mutant "-D$mutant" "${SAFETY[@]}" -DBFS
  refuted "$mutant" ./mutant
done
compile mutant "-DCPUS=1 -DNO_TIMEOUT" -DNFAIR=3
refuted NO_TIMEOUT ./mutant -a -f -N half_open_ends
