# Sourced by matrix.sh: packages of any architecture, from the host's own sources, without a trace
# in the host's package state. Each architecture has apt lists and an (empty) package state of its
# own below $VM_CACHE; packages are unpacked there, never installed.
# shellcheck shell=bash disable=SC2154

# The archives change a few times a day at most.
LISTS_MINUTES=1440

# private_apt ARCHITECTURE apt-get|apt-cache ARGUMENTS...
private_apt() {
  local architecture=$1 state=$VM_CACHE/apt-$1 command=$2
  shift 2
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  [ -e "$state/status" ] || : >"$state/status"
  "$command" -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" \
    -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# Without the network those of the last time do.
refresh_lists() {
  local stamp=$VM_CACHE/apt-$1/refreshed
  [ -z "$(find "$stamp" -mmin -$LISTS_MINUTES 2>/dev/null)" ] || return 0
  say "Reading the package lists of $1"
  if private_apt "$1" apt-get -qq -o APT::Update::Error-Mode=any update; then
    touch "$stamp"
  else
    echo "cannot read the package lists of $1"
  fi
}

# newest_package ARCHITECTURE PATTERN
newest_package() {
  private_apt "$1" apt-cache pkgnames | grep -E -- "$2" | sort -V | tail -n 1
}

package_version() {
  private_apt "$1" apt-cache show --no-all-versions "$2" | sed -n 's/^Version: //p' | head -n 1
}

# unpack_package ARCHITECTURE NAME VERSION DIRECTORY: that package alone.
unpack_package() {
  local architecture=$1 name=$2 version=$3 directory=$4 part=$4.part
  [ ! -d "$directory" ] || return 0
  say "Downloading $name $version"
  rm -rf "$part"
  mkdir -p "$part/.download"
  (cd "$part/.download" && private_apt "$architecture" apt-get -qq download "$name=$version") &&
    dpkg-deb -x "$part"/.download/*.deb "$part" || return 1
  rm -rf "$part/.download"
  mv "$part" "$directory"
}

# newest_unpacked DIRECTORY PATTERN: of the packages there whose name matches.
newest_unpacked() {
  local path
  for path in "$1"/*_*; do
    [[ $path == *.part ]] || ! grep -qE -- "$2" <<<"$(basename "${path%_*}")" || echo "$path"
  done | sort -V | tail -n 1
}

# unpack_sysroot ARCHITECTURE NAME...: packages with all they depend on. Says in which directory,
# which is named after them; the last one when they cannot be had.
unpack_sysroot() {
  local architecture=$1 wanted directory
  shift
  wanted=$(private_apt "$architecture" apt-get -qq -y --no-install-recommends --print-uris \
    -o Dir::Cache::archives="$VM_CACHE/apt-$architecture/none" install "$@" | awk '{ print $2 }' | sort)
  directory=$VM_CACHE/sysroot-$architecture-$(sha256sum <<<"$wanted" | cut -c 1-16)
  if [ -z "$wanted" ] || ! download_sysroot "$architecture" "$directory" "$wanted" "$@"; then
    # shellcheck disable=SC2012
    directory=$(ls -td "$VM_CACHE/sysroot-$architecture"-*[!t] 2>/dev/null | head -n 1)
    [ -n "$directory" ] || return 1
  fi
  touch "$directory"
  echo "$directory"
}

# download_sysroot ARCHITECTURE DIRECTORY FILES NAME...
download_sysroot() {
  local architecture=$1 directory=$2 files=$3 archives=$VM_CACHE/apt-$1/archives file
  shift 3
  [ ! -d "$directory" ] || return 0
  say "Downloading the libraries of $architecture" >&2
  private_apt "$architecture" apt-get -qq -y --no-install-recommends --download-only install "$@" \
    >/dev/null || return 1
  rm -rf "$directory.part"
  mkdir -p "$directory.part"
  while read -r file; do
    dpkg-deb -x "$archives/$file" "$directory.part" || return 1
  done <<<"$files"
  rm -f "$archives"/*.deb
  mv "$directory.part" "$directory"
}

# remove_unused DIRECTORY...: what no run has used for a week.
remove_unused() {
  find "$@" -maxdepth 0 -mtime +7 -exec rm -rf {} +
}
