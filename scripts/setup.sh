# Sourced by run.sh, test.sh and bench.sh: what they need installed, and the build.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# What one checkout made and another one can use: compiled objects, packages, roots, verdicts.
# shellcheck disable=SC2034
CACHE=$(realpath -m -- "${MOONWATCH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/moonwatch}")

# shellcheck disable=SC2034
BUILD_PACKAGES=(
  build-essential cmake pkg-config clang llvm "bpftool|linux-tools-generic" libbpf-dev libelf-dev zlib1g-dev
  libcjson-dev libpcre2-dev libmicrohttpd-dev libgnutls28-dev tzdata
  libcurl4-gnutls-dev libpq-dev libhiredis-dev libc-ares-dev libsqlite3-dev
)
# shellcheck disable=SC2034
TEST_PACKAGES=(
  libcmocka-dev clang-format clang-tidy cppcheck shellcheck ccache python3 python3-pytest
  python3-pytest-xdist python3-jsonschema python3-prometheus-client python3-aiosmtpd prometheus
  prometheus-alertmanager prometheus-node-exporter libbpf-tools "linux-perf|linux-tools-generic" fio wrk curl jq
  openssl iproute2 libcap2-bin procps spin nginx-light redis-server postgresql
  apache2-utils nghttp2-client libnginx-mod-stream python3-redis python3-websockets python3-requests mariadb-server
  liburing-dev
)
# For the virtual machines of tests/vm: emulators, a cross compiler, and what the guests' root holds.
# shellcheck disable=SC2034
VM_PACKAGES=(
  qemu-system-x86 qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross
  busybox-static cpio dash e2fsprogs iproute2 kmod lz4 xz-utils zstd
)
# For the root of another release in tests/distro.
# shellcheck disable=SC2034
DISTRO_PACKAGES=(debian-archive-keyring debootstrap)

say() {
  printf '\033[1m== %s\033[0m\n' "$*"
}

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

require_root() {
  [ "$(id -u)" -eq 0 ] || die "needs root to install packages and load BPF programs: sudo $0"
}

is_installed() {
  dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# Of "a|b", where Debian and Ubuntu call a thing differently: the one that is installed, or the first
# that this release has.
choose_package() {
  local name
  for name in ${1//|/ }; do
    ! is_installed "$name" || break
  done
  if ! is_installed "$name"; then
    for name in ${1//|/ }; do
      ! apt-cache show "$name" >/dev/null 2>&1 || break
    done
  fi
  echo "$name"
}

# Installs the packages that are missing. Services that come with them (Prometheus, its node
# exporter) are not started: the tests start their own.
install_packages() {
  local missing=() package policy=/usr/sbin/policy-rc.d own_policy=no
  for package in "$@"; do
    is_installed "$(choose_package "$package")" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "needs Debian packages: ${missing[*]}"
  say "Installing ${missing[*]}"
  if [ ! -e "$policy" ]; then
    own_policy=yes
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt-get update -qq || die "apt-get update failed"
  # Only now is it known what this release has.
  mapfile -t missing < <(for package in "${missing[@]}"; do choose_package "$package"; done)
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >/dev/null || die "could not install ${missing[*]}"
  if [ "$own_policy" = yes ]; then
    rm -f "$policy"
    trap - EXIT
  fi
}

# Keeps a build's output in a file, and says how far it is when it takes long.
show_progress() {
  local line said=$SECONDS
  while IFS= read -r line; do
    echo "$line" >&3
    if [[ $line =~ ^\[\ *([0-9]+%)\] ]] && ((SECONDS - said >= 5)); then
      said=$SECONDS
      echo "   ${BASH_REMATCH[1]}"
    fi
  done 3>"$1"
}

# build DIRECTORY [CMAKE ARGUMENTS]: what was compiled before, in any checkout, is taken from ccache
# where that is installed.
build() {
  local directory=$1
  shift
  if command -v ccache >/dev/null && mkdir -p "$CACHE/ccache/tmp" 2>/dev/null && [ -w "$CACHE/ccache/tmp" ]; then
    export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
    set -- -DCMAKE_C_COMPILER_LAUNCHER=ccache "$@"
  else
    set -- -DCMAKE_C_COMPILER_LAUNCHER= "$@"
  fi
  say "Building in ${directory#"$ROOT"/}"
  mkdir -p "$directory"
  cmake -S "$ROOT" -B "$directory" "$@" >"$directory/build.log" 2>&1 ||
    { cat "$directory/build.log"; die "cmake failed"; }
  (set -o pipefail; cmake --build "$directory" --parallel "$(nproc)" 2>&1 | show_progress "$directory/build.log") ||
    { tail -n 60 "$directory/build.log"; die "the build failed, see ${directory#"$ROOT"/}/build.log"; }
}

mount_if_missing() {
  local kind=$1 where=$2
  mountpoint -q "$where" || mount -t "$kind" "$kind" "$where" 2>/dev/null || true
}
