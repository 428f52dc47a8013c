#!/usr/bin/env bash
# Installs what is missing, then runs every check and test. The last line sums up.
set -uo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"

usage() {
  cat <<TEXT
usage: sudo scripts/test.sh [--no-vm] [STAGE...]
stages, all of them by default, in this order:
  checks     layout, layers, file length, static analysis, generated texts
  unit       cmocka tests that need no privileges
  bpf        cmocka tests that load programs into this kernel
  sanitize   the unit and bpf tests again under AddressSanitizer and UBSan
  system     the running agent against other people's measurements
  vm         the bpf tests and more in virtual machines with other kernels, and their table in README.md
--no-vm leaves the last one out
TEXT
}

STAGES=(checks unit bpf sanitize system vm)
if [ "${1:-}" = --no-vm ]; then
  shift
  unset 'STAGES[-1]'
fi
for argument in "$@"; do
  case " ${STAGES[*]} " in
  *" $argument "*) ;;
  *)
    usage >&2
    exit 2
    ;;
  esac
done
[ $# -gt 0 ] && STAGES=("$@")

require_root
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
mount_if_missing bpf /sys/fs/bpf
mount_if_missing tracefs /sys/kernel/tracing

BUILD=$ROOT/build-test
RESULTS=$BUILD/results
PASSED=0 FAILED=0 SKIPPED=0
mkdir -p "$RESULTS"
rm -f "$RESULTS"/*.xml

# Adds the counts of a JUnit file and names what failed or was skipped.
count_junit() {
  local report passed failed skipped
  report=$(python3 "$ROOT/scripts/count-junit.py" "$1") || {
    echo "FAILED: no result in $(basename "$1")"
    FAILED=$((FAILED + 1))
    return
  }
  printf '%s\n' "$report" | tail -n +2
  read -r passed failed skipped < <(printf '%s\n' "$report" | head -n 1)
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
}

run_ctest() {
  local build=$1 label=$2 name=$3
  ctest --test-dir "$build" --label-regex "^$label\$" --output-on-failure --no-tests=error \
    --output-junit "$RESULTS/$name.xml" >"$RESULTS/$name.log" 2>&1 || tail -n 80 "$RESULTS/$name.log"
  count_junit "$RESULTS/$name.xml"
}

stage_checks() {
  local check
  for check in "$ROOT"/scripts/checks/*; do
    if MOONWATCH_BUILD=$BUILD "$check" >"$RESULTS/check.log" 2>&1; then
      PASSED=$((PASSED + 1))
    else
      FAILED=$((FAILED + 1))
      echo "FAILED: check $(basename "$check")"
      tail -n 40 "$RESULTS/check.log"
    fi
  done
}

stage_unit() {
  run_ctest "$BUILD" unit unit
}

stage_bpf() {
  run_ctest "$BUILD" bpf bpf
}

stage_sanitize() {
  local build=$ROOT/build-sanitize
  build "$build" -DMOONWATCH_SANITIZE=ON
  run_ctest "$build" unit sanitize-unit
  run_ctest "$build" bpf sanitize-bpf
}

stage_system() {
  MOONWATCH_BINARY=$BUILD/moonwatch /usr/bin/python3 -m pytest -q -p no:cacheprovider \
    --junitxml="$RESULTS/system.xml" "$ROOT/tests/system" >"$RESULTS/system.log" 2>&1 ||
    tail -n 150 "$RESULTS/system.log"
  count_junit "$RESULTS/system.xml"
}

stage_vm() {
  local name
  install_packages "${VM_PACKAGES[@]}"
  "$ROOT/tests/vm/matrix.sh" "$BUILD" "$RESULTS"
  while read -r name; do
    count_junit "$RESULTS/vm-$name.xml"
  done < <(awk '/^[^#]/ { print $1 }' "$ROOT/tests/vm/kernels")
  if "$ROOT/scripts/kernel-table.py" "$BUILD/vm"; then
    PASSED=$((PASSED + 1))
  else
    FAILED=$((FAILED + 1))
    echo "FAILED: the kernel table in README.md is not current: scripts/kernel-table.py --write ${BUILD#"$ROOT"/}/vm"
  fi
}

build "$BUILD"
for stage in "${STAGES[@]}"; do
  say "Stage $stage"
  "stage_$stage"
done

echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
