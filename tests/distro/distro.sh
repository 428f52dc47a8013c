#!/usr/bin/env bash
# The build and the unit tests in a root of Debian 13, with its compilers and libraries.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/setup.sh
. "$HERE/../../scripts/setup.sh"

RELEASE=trixie
TREE=$CACHE/distro/$RELEASE
CCACHE=$CACHE/distro/ccache
STAMP=.made-from
UNAVAILABLE=77
# What the unit tests run beside what they are built with.
UNIT_PACKAGES=(
  ccache iproute2 libcmocka-dev netbase nginx-light openssl postgresql procps python3
  python3-aiosmtpd python3-jsonschema redis-server
)

usage() {
  cat <<TEXT
usage: sudo tests/distro/distro.sh make-root
       sudo tests/distro/distro.sh run BUILD RESULTS
make-root  downloads Debian 13 with what the build and the unit tests need into the cache
run        builds there in BUILD and leaves RESULTS/distro-unit.xml; exits with 0 when all tests passed
           and with $UNAVAILABLE when there is no current root
TEXT
}

# The host's own source of Debian has its other releases too.
mirror() {
  local codename site
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  # shellcheck disable=SC2016
  site=$(apt-get indextargets --format '$(SITE)' "Codename: $codename" 'Component: main' \
    'Created-By: Packages' | head -n 1)
  [ -n "$site" ] || die "apt has no source of $codename main"
  echo "$site"
}

in_root() {
  chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} "${@:2}"
}

# fill ROOT LOG
fill() {
  local root=$1 log=$2 http_proxy=${http_proxy:-}
  eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
  export http_proxy
  debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    "$RELEASE" "$root" "$(mirror)" >"$log" 2>&1 || return 1
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  # Made anew rather than mended after a crash: nothing is gained by waiting for the disk.
  printf 'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' \
    >"$root/etc/dpkg/dpkg.cfg.d/test-root"
  mkdir -p "$root/etc/postgresql-common" "$root"/{src,build,results,ccache}
  echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  in_root "$root" apt-get install -y -qq --no-install-recommends \
    "${BUILD_PACKAGES[@]%%|*}" "${UNIT_PACKAGES[@]}" >>"$log" 2>&1 || return 1
  in_root "$root" apt-get clean
  rm -rf "$root"/var/lib/apt/lists/*
}

stamp() {
  {
    declare -f fill
    printf '%s\n' "$RELEASE" "${BUILD_PACKAGES[@]%%|*}" "${UNIT_PACKAGES[@]}"
  } | sha256sum
}

make_root() {
  local part
  require_root
  install_packages "${DISTRO_PACKAGES[@]}"
  mkdir -p "$CACHE/distro"
  exec 9>"$CACHE/distro/lock"
  flock 9
  rm -rf "$TREE".part.*
  part=$(mktemp -d "$TREE.part.XXXXXX")
  chmod 755 "$part"
  say "Downloading Debian's $RELEASE"
  # In a mount namespace of its own, and so what debootstrap mounts is gone whatever happens.
  unshare --mount "$BASH" "$HERE/distro.sh" fill "$part" "$part.log" ||
    { tail -n 30 "$part.log"; rm -rf "$part" "$part.log"; die "could not make the root"; }
  rm -f "$part.log"
  stamp >"$part/$STAMP"
  # Nobody is in the old one: the lock was waited for.
  rm -rf "$TREE"
  mv "$part" "$TREE"
}

# In namespaces of its own. The root stays as it was made: several may run in it at once.
enter() {
  local build=$1 results=$2 directory
  mount --bind -o ro "$TREE" "$TREE"
  mount --bind -o ro "$ROOT" "$TREE/src"
  mount --bind "$build" "$TREE/build"
  mount --bind "$results" "$TREE/results"
  mount --bind "$CCACHE" "$TREE/ccache"
  mount -t proc proc "$TREE/proc"
  mount --rbind /sys "$TREE/sys"
  mount --rbind /dev "$TREE/dev"
  for directory in /dev/shm /run /tmp /var/log /var/tmp; do
    mount -t tmpfs -o mode=1777 tmpfs "$TREE$directory"
  done
  in_root "$TREE" CCACHE_DIR=/ccache CCACHE_MAXSIZE=1G /src/tests/distro/inside.sh
}

run() {
  local build=$1 results=$2
  require_root
  if [ "$(cat "$TREE/$STAMP" 2>/dev/null)" != "$(stamp)" ]; then
    echo "no current root of Debian 13, make one with: sudo${MOONWATCH_CACHE:+ MOONWATCH_CACHE=$CACHE}" \
      "tests/distro/distro.sh make-root"
    exit $UNAVAILABLE
  fi
  exec 9>"$CACHE/distro/lock"
  flock --shared 9
  mkdir -p "$build" "$results" "$CCACHE"
  rm -f "$results/distro-unit.xml"
  # The headers of a new root may be older than what was compiled with those of the last one.
  if [ -e "$build/CMakeCache.txt" ] && [ "$TREE/$STAMP" -nt "$build/CMakeCache.txt" ]; then
    rm -rf "${build:?}"/*
  fi
  exec unshare --mount --net --pid --fork --kill-child \
    "$BASH" "$HERE/distro.sh" enter "$(realpath "$build")" "$(realpath "$results")"
}

case "$#:${1:-}" in
1:make-root) make_root ;;
3:run) run "$2" "$3" ;;
# What those two start in other namespaces.
3:fill) fill "$2" "$3" ;;
3:enter) enter "$2" "$3" ;;
*)
  usage >&2
  exit 2
  ;;
esac
