#!/usr/bin/env bash
# Installs what is missing, builds build/moonwatch and runs `moonwatch run` with the arguments given.
set -euo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"

case "${1:-}" in
-h | --help)
  echo "usage: sudo scripts/run.sh [arguments of 'moonwatch run']"
  exit 0
  ;;
esac

require_root
install_packages "${BUILD_PACKAGES[@]}"
build "$ROOT/build" -DMOONWATCH_TESTS=OFF
say "Starting build/moonwatch run $*"
exec "$ROOT/build/moonwatch" run "$@"
