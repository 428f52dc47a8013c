# Sourced by matrix.sh: packages of any architecture, from the host's own sources, without a trace
# in the host's package state. Each architecture has apt lists and an (empty) package state of its
# own below $CACHE; packages are unpacked there, never installed.
# shellcheck shell=bash disable=SC2154

# The archives change a few times a day at most.
LISTS_MINUTES=1440

# private_apt ARCHITECTURE apt-get|apt-cache ARGUMENTS...
private_apt() {
  local architecture=$1 state=$CACHE/apt-$1 command=$2
  shift 2
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  [ -e "$state/status" ] || : >"$state/status"
  "$command" -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" \
    -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

refresh_lists() {
  local architecture=$1 stamp=$CACHE/apt-$1/refreshed
  [ -z "$(find "$stamp" -mmin -$LISTS_MINUTES 2>/dev/null)" ] || return 0
  say "Reading the package lists of $architecture"
  private_apt "$architecture" apt-get -qq update || return 1
  touch "$stamp"
}

# newest_package ARCHITECTURE PATTERN
newest_package() {
  private_apt "$1" apt-cache pkgnames | grep -E -- "$2" | sort -V | tail -n 1
}

package_version() {
  private_apt "$1" apt-cache show --no-all-versions "$2" | sed -n 's/^Version: //p' | head -n 1
}

# unpack_package ARCHITECTURE NAME VERSION DIRECTORY: that package alone; kept until it has changed.
unpack_package() {
  local architecture=$1 name=$2 version=$3 directory=$4
  [ ! -e "$directory/.unpacked" ] || return 0
  say "Downloading $name $version"
  rm -rf "$directory"
  mkdir -p "$directory/.download"
  (cd "$directory/.download" && private_apt "$architecture" apt-get -qq download "$name=$version") ||
    return 1
  dpkg-deb -x "$directory"/.download/*.deb "$directory" || return 1
  rm -rf "$directory/.download"
  touch "$directory/.unpacked"
}

# unpack_sysroot ARCHITECTURE DIRECTORY NAME...: packages with all they depend on.
unpack_sysroot() {
  local architecture=$1 directory=$2 archives=$CACHE/apt-$1/archives wanted file
  shift 2
  wanted=$(private_apt "$architecture" apt-get -qq -y --no-install-recommends --print-uris \
    -o Dir::Cache::archives="$CACHE/apt-$architecture/none" install "$@" | awk '{ print $2 }' | sort) ||
    return 1
  [ -n "$wanted" ] || return 1
  [ "$wanted" != "$(cat "$directory/.unpacked" 2>/dev/null)" ] || return 0
  say "Downloading the libraries of $architecture"
  private_apt "$architecture" apt-get -qq -y --no-install-recommends --download-only install "$@" \
    >/dev/null || return 1
  rm -rf "$directory"
  mkdir -p "$directory"
  while read -r file; do
    dpkg-deb -x "$archives/$file" "$directory" || return 1
  done <<<"$wanted"
  rm -f "$archives"/*.deb
  printf '%s\n' "$wanted" >"$directory/.unpacked"
}
