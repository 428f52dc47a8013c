#!/usr/bin/env bash
# Installs what is missing, then runs every check and test. The last line sums up.
set -uo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"
# shellcheck source=scripts/stages.sh
. "$(dirname "$0")/stages.sh"

usage() {
  cat <<TEXT
usage: sudo scripts/test.sh [--no-vm | --fast] [STAGE...]
stages, all of them by default, in this order:
  checks     layout, layers, file length, static analysis, generated texts
  unit       cmocka tests that need no privileges
  bpf        cmocka tests that load programs into this kernel
  sanitize   the unit and bpf tests again under AddressSanitizer and UBSan
  distro     build and unit tests in a root of a newer Debian, once tests/distro has made one
  system     running agents against other people's measurements, side by side
  vm         the bpf tests and more in virtual machines with other kernels, beside the stage before
  truth      the system tests that measure the host itself, one at a time
--no-vm leaves vm out; --fast is for the inner loop: checks, unit, and the bpf tests that the changes
since the last commit concern (of the last commit if there are none).
TEXT
}

OFFERED=(checks unit bpf sanitize distro system vm truth)
case "${1:-}" in
--no-vm)
  shift
  OFFERED=(checks unit bpf sanitize distro system truth)
  ;;
--fast)
  shift
  OFFERED=(checks unit fast_bpf)
  ;;
-h | --help)
  usage
  exit 0
  ;;
esac
for argument in "$@"; do
  case " ${OFFERED[*]} " in
  *" $argument "*) ;;
  *)
    usage >&2
    exit 2
    ;;
  esac
done
# Those asked for, in the order in which they are offered.
STAGES=()
for stage in "${OFFERED[@]}"; do
  [[ $# -gt 0 && " $* " != *" $stage "* ]] || STAGES+=("$stage")
done

require_root
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
mount_if_missing bpf /sys/fs/bpf
mount_if_missing tracefs /sys/kernel/tracing

BUILD=$ROOT/build-test
RESULTS=$BUILD/results
PASSED=0 FAILED=0 SKIPPED=0
rm -rf "$RESULTS"
mkdir -p "$RESULTS"
export MOONWATCH_CACHE=$CACHE

BEGIN=$SECONDS
build "$BUILD" || die "the build failed"
say "Built: $((SECONDS - BEGIN)) s"

trap end_stages EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wanted() {
  [[ " ${STAGES[*]} " == *" $1 "* ]]
}

for stage in "${STAGES[@]}"; do
  # The virtual machines run beside the system tests, which mostly wait, if both are asked for.
  if [ "$stage" = vm ] && wanted system; then continue; fi
  if [ "$stage" = system ] && wanted vm; then start_stage vm; fi
  start_stage "$stage"
  await_stage "$stage"
  if [ "$stage" = system ] && wanted vm; then await_stage vm; fi
done

say "Slowest tests"
python3 "$ROOT/scripts/slowest-tests.py" "$RESULTS"
say "Took $((SECONDS / 60)) min $((SECONDS % 60)) s"
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
