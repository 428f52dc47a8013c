#!/usr/bin/env bash
# Runs the tests on a machine with other things to do: what turns red here by chance would do so
# elsewhere. Two busy loops and a storm of forks and execs run beside.
set -uo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"

ROUNDS=3 REPEATS=20
# Those that once failed by chance, each for a cause of its own: file::test, or a program of CTest.
PYTESTS=(
  test_alerts.py::test_a_crash_is_an_alert_at_once
  test_http_abuse.py::test_a_thousand_idle_connections
  test_alert_restart.py::test_what_was_answered_is_on_the_disk_at_once
  test_events.py::test_the_largest_process_is_a_top_offender
  test_agent_config.py::test_a_figure_not_known_yet_is_null
  test_resources_truth.py::test_disk_latency_against_fio
  test_scheduler_truth.py::test_json_and_metrics_say_the_same
  test_checks.py::test_certificate_days_are_shown
)
CTESTS=(unit/test_notify_delivery unit/test_performance bpf/test_breaker bpf/test_tcp_loss)

usage() {
  cat <<TEXT
usage: sudo scripts/stress-tests.sh [--rounds N] [--repeats N]
  --rounds N   times of the whole of test.sh but for the virtual machines (default 3)
  --repeats N  times of each test that once failed by chance (default 20)
TEXT
}

while [ $# -gt 0 ]; do
  case $1 in
  --rounds) ROUNDS=${2:-} ;;
  --repeats) REPEATS=${2:-} ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    exit 2
    ;;
  esac
  shift 2 2>/dev/null || {
    usage >&2
    exit 2
  }
done
[[ $ROUNDS =~ ^(0|[1-9][0-9]*)$ && $REPEATS =~ ^(0|[1-9][0-9]*)$ && $ROUNDS$REPEATS != 00 ]] || {
  usage >&2
  exit 2
}

require_root
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
LOAD=()
trap '[ ${#LOAD[@]} -eq 0 ] || kill "${LOAD[@]}" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

load_begin() {
  bash -c 'while :; do :; done' &
  LOAD+=($!)
  bash -c 'while :; do :; done' &
  LOAD+=($!)
  bash -c 'while :; do /bin/true; done' &
  LOAD+=($!)
}

FAILED=0

# repeat NAME COMMAND...: says how many of the times it passed, and why it did not.
repeat() {
  local name=$1 log=$ROOT/build-test/stress.log passed=0 i
  shift
  for ((i = 0; i < REPEATS; i++)); do
    if "$@" >"$log" 2>&1; then passed=$((passed + 1)); else tail -n 40 "$log"; fi
  done
  echo "$name: $passed of $REPEATS passed"
  [ "$passed" -eq "$REPEATS" ] || FAILED=$((FAILED + 1))
}

load_begin
for ((round = 1; round <= ROUNDS; round++)); do
  say "Round $round of $ROUNDS"
  "$ROOT/scripts/test.sh" --no-vm || FAILED=$((FAILED + 1))
done

if [ "$REPEATS" -gt 0 ]; then
  say "Each of the fickle, $REPEATS times"
  build "$ROOT/build-test" || die "the build failed"
  export MOONWATCH_BINARY=$ROOT/build-test/moonwatch
  for name in "${PYTESTS[@]}"; do
    repeat "$name" /usr/bin/python3 -m pytest -q -p no:cacheprovider "$ROOT/tests/system/$name"
  done
  for name in "${CTESTS[@]}"; do
    repeat "$name" ctest --test-dir "$ROOT/build-test" --no-tests=error --output-on-failure -R "^$name\$"
  done
fi
[ "$FAILED" -eq 0 ] || die "$FAILED failed"
say "None failed"
