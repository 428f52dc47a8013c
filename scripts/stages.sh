# Sourced by test.sh: one function for each stage. A stage runs in a process of its own; what it
# prints and counts comes back by files in $RESULTS, so that two can run side by side and one that
# dies is seen.
# shellcheck shell=bash disable=SC2153

declare -A RUNNING=()

# start_stage NAME: in a process group of its own.
start_stage() {
  say "Stage $1"
  set -m
  run_stage "$1" &
  RUNNING[$1]=$!
  set +m
}

# await_stage NAME
await_stage() {
  wait "${RUNNING[$1]}"
  unset "RUNNING[$1]"
  report_stage "$1"
}

# Those that still run, as by Ctrl-C, so that tests put away what they made; by force if they do not
# come to an end.
end_stages() {
  local pid guard
  for pid in "${RUNNING[@]}"; do kill -INT -- "-$pid" 2>/dev/null; done
  for pid in "${RUNNING[@]}"; do
    (sleep 10; kill -TERM -- "-$pid"; sleep 5; kill -KILL -- "-$pid") 2>/dev/null &
    guard=$!
    wait "$pid" 2>/dev/null
    kill "$guard" 2>/dev/null
  done
}

# run_stage NAME
run_stage() {
  local name=$1 begin=$SECONDS
  STAGE=$name
  : >"$RESULTS/$name.counts"
  ("stage_$name") >"$RESULTS/$name.out" 2>&1 || {
    echo "FAILED: stage $name ended with $?" >>"$RESULTS/$name.out"
    count 0 1 0
  }
  # The last of all: without it the stage did not come to its end.
  echo "$((SECONDS - begin))" >"$RESULTS/$name.seconds"
}

# report_stage NAME: what it printed, and a line with its time.
report_stage() {
  local name=$1 passed=0 failed=0 skipped=0 p f s
  while read -r p f s; do
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  done <"$RESULTS/$name.counts"
  cat "$RESULTS/$name.out"
  if [ ! -s "$RESULTS/$name.seconds" ]; then
    echo "FAILED: stage $name did not come to its end"
    failed=$((failed + 1))
  fi
  echo "stage $name: $(cat "$RESULTS/$name.seconds" 2>/dev/null || echo ?) s, $passed passed, $failed failed, $skipped skipped"
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
}

# count PASSED FAILED SKIPPED
count() {
  echo "$1 $2 $3" >>"$RESULTS/$STAGE.counts"
}

# count_junit FILE [STATUS]: adds its counts and names what failed or was skipped. STATUS is what the
# runner ended with: one that failed without a failed test did not run them all.
count_junit() {
  local report passed failed skipped
  report=$(python3 "$ROOT/scripts/count-junit.py" "$1") || {
    echo "FAILED: no result in $(basename "$1")"
    count 0 1 0
    return
  }
  printf '%s\n' "$report" | tail -n +2
  read -r passed failed skipped < <(printf '%s\n' "$report" | head -n 1)
  count "$passed" "$failed" "$skipped"
  if [ "${2:-0}" -ne 0 ] && [ "$failed" -eq 0 ]; then
    echo "FAILED: the tests of $(basename "$1") ended with $2"
    count 0 1 0
  fi
}

# run_ctest BUILD NAME ARGUMENTS...: more programs than CPUs, since most of them wait.
run_ctest() {
  local build=$1 name=$2 status=0
  shift 2
  ctest --test-dir "$build" --parallel $((2 * $(nproc))) --output-on-failure --no-tests=error \
    --output-junit "$RESULTS/$name.xml" "$@" >"$RESULTS/$name.log" 2>&1 || status=$?
  [ "$status" -eq 0 ] || tail -n 80 "$RESULTS/$name.log"
  count_junit "$RESULTS/$name.xml" "$status"
}

# run_pytest NAME ARGUMENTS...
run_pytest() {
  local name=$1 status=0
  shift
  MOONWATCH_BINARY=$BUILD/moonwatch /usr/bin/python3 -m pytest -q -p no:cacheprovider \
    --junitxml="$RESULTS/$name.xml" "$@" "$ROOT/tests/system" >"$RESULTS/$name.log" 2>&1 || status=$?
  [ "$status" -eq 0 ] || tail -n 150 "$RESULTS/$name.log"
  count_junit "$RESULTS/$name.xml" "$status"
}

stage_checks() {
  local check
  for check in "$ROOT"/scripts/checks/*; do
    if MOONWATCH_BUILD=$BUILD "$check" >"$RESULTS/check.log" 2>&1; then
      count 1 0 0
    else
      count 0 1 0
      echo "FAILED: check $(basename "$check")"
      tail -n 40 "$RESULTS/check.log"
    fi
  done
}

stage_unit() {
  run_ctest "$BUILD" unit -L '^unit$'
}

stage_bpf() {
  run_ctest "$BUILD" bpf -L '^bpf$'
}

stage_sanitize() {
  local build=$ROOT/build-sanitize
  build "$build" -DMOONWATCH_SANITIZE=ON
  run_ctest "$build" sanitize-unit -L '^unit$'
  run_ctest "$build" sanitize-bpf -L '^bpf$'
}

stage_distro() {
  local status=0
  "$ROOT/tests/distro/distro.sh" run "$ROOT/build-distro" "$RESULTS" || status=$?
  case $status in
  77) count 0 0 1 ;; # no root of it, and how to make one was said
  *) count_junit "$RESULTS/distro-unit.xml" "$status" ;;
  esac
}

stage_system() {
  run_pytest system -m "not alone" -n $((3 * $(nproc)))
}

stage_truth() {
  # Alone on the machine, not only in this checkout.
  exec {lock}>/run/lock/moonwatch-truth
  flock "$lock"
  run_pytest truth -m alone
}

stage_vm() {
  local name
  install_packages "${VM_PACKAGES[@]}"
  nice "$ROOT/tests/vm/matrix.sh" "$BUILD" "$RESULTS"
  while read -r name; do
    count_junit "$RESULTS/vm-$name.xml"
  done < <(awk '/^[^#]/ { print $1 }' "$ROOT/tests/vm/kernels")
  if "$ROOT/scripts/kernel-table.py" "$BUILD/vm"; then
    count 1 0 0
  else
    count 0 1 0
    echo "FAILED: the kernel table in bpf/README.md is not current: scripts/kernel-table.py --write ${BUILD#"$ROOT"/}/vm"
  fi
  while read -r name; do
    compare_costs "$name"
  done < <(awk '/^[^#]/ { print $1 }' "$ROOT/tests/vm/kernels")
}

# compare_costs GUEST: what its verifier made of each program, against bpf/programs.txt.
compare_costs() {
  local said status=0
  said=$("$ROOT/scripts/program-costs.py" "$BUILD" --steps-of "$1" 2>&1) || status=$?
  case $status in
  0) count 1 0 0 ;;
  77)
    count 0 0 1
    echo "skipped: program costs on $1: $said"
    ;;
  *)
    count 0 1 0
    printf 'FAILED: program costs on %s\n%s\n' "$1" "$said"
    ;;
  esac
}

stage_fast_bpf() {
  local tests
  tests=$("$ROOT/scripts/changed-bpf-tests.py") || return
  if [ -z "$tests" ]; then
    echo "no change concerns a bpf test"
  else
    run_ctest "$BUILD" bpf -L '^bpf$' -R "^bpf/($tests)\$"
  fi
}
