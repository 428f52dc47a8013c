#!/usr/bin/env bash
# Runs every benchmark of tests/bench and prints a table: each figure beside a peer or a floor
# measured in the same run, interleaved, as medians.
set -uo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"

usage() {
  cat <<TEXT
usage: sudo scripts/bench.sh [--json] [NAME...]
  --json  one JSON object per figure instead of the table
  NAME    only these benchmarks, of: $(cd "$ROOT/tests/bench" && echo *.sh | sed 's/\.sh//g')
TEXT
}

FORMAT=table
NAMES=()
for argument in "$@"; do
  case $argument in
  --json) FORMAT=json ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    [ -x "$ROOT/tests/bench/$argument.sh" ] || {
      usage >&2
      exit 2
    }
    NAMES+=("$argument")
    ;;
  esac
done

require_root
{
  install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
  mount_if_missing bpf /sys/fs/bpf
  mount_if_missing tracefs /sys/kernel/tracing
  build "$ROOT/build-test"
} >&2

[ ${#NAMES[@]} -gt 0 ] ||
  mapfile -t NAMES < <(cd "$ROOT/tests/bench" && printf '%s\n' *.sh | sed 's/\.sh$//')
export MOONWATCH_BUILD=$ROOT/build-test MOONWATCH_BINARY=$ROOT/build-test/moonwatch

STATUS=0
for name in "${NAMES[@]}"; do
  echo "running $name" >&2
  "$ROOT/tests/bench/$name.sh" || {
    echo "bench.sh: $name failed" >&2
    STATUS=1
  }
done | python3 "$ROOT/scripts/bench-table.py" "$FORMAT" || STATUS=1
exit "$STATUS"
