#!/usr/bin/env bash
# Boots each kernel of tests/vm/kernels with this build in it and leaves a JUnit file vm-NAME.xml for
# each in the results directory.
# usage: matrix.sh [prepare|run] BUILD RESULTS [NAME...]
# prepare: downloads, builds and packs what the guests need, below BUILD/vm; run: boots them; without
# either: both. $ONLY: a pattern of the test programs to run
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/setup.sh
. "$HERE/../../scripts/setup.sh"
VM_CACHE=$CACHE/vm
# shellcheck source=tests/vm/packages.sh
. "$HERE/packages.sh"
# shellcheck source=tests/vm/initramfs.sh
. "$HERE/initramfs.sh"
# shellcheck source=tests/vm/boot.sh
. "$HERE/boot.sh"

PHASES="prepare run"
case ${1:-} in prepare | run)
  PHASES=$1
  shift
  ;;
esac
BUILD=$1 RESULTS=$2
shift 2
# shellcheck disable=SC2034
MODULES=(loop sch_netem tcp_diag tun veth)
# What the arm64 build links with, and the tools that the guest needs.
ARM64_PACKAGES=(
  libc6-dev libbpf-dev libelf-dev zlib1g-dev libcjson-dev libpcre2-dev libmicrohttpd-dev libgnutls28-dev
  libcurl4-gnutls-dev libpq-dev libhiredis-dev libc-ares-dev libsqlite3-dev
  libcmocka-dev busybox-static dash iproute2 bpftool
  libbpf-tools
)
declare -A TRIPLET=([amd64]=x86_64-linux-gnu [arm64]=aarch64-linux-gnu)
declare -A SYSROOT=([amd64]="")
declare -A BUILD_OF=([amd64]=$BUILD [arm64]=$ROOT/build-aarch64)
declare -A STRIP=([amd64]=strip [arm64]=aarch64-linux-gnu-strip)

# read_kernels NAME...: fills the four arrays; all kernels if no name is given.
read_kernels() {
  local name architecture title pattern
  NAMES=() && declare -gA ARCHITECTURE TITLE PATTERN
  while read -r name architecture title pattern; do
    case $name in "" | "#"*) continue ;; esac
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    NAMES+=("$name")
    ARCHITECTURE[$name]=$architecture TITLE[$name]=${title//_/ } PATTERN[$name]=$pattern
  done <"$HERE/kernels"
}

prepare_kernel() {
  local name=$1 architecture=${ARCHITECTURE[$1]} package version directory
  package=$(newest_package "$architecture" "${PATTERN[$name]}")
  version=$(package_version "$architecture" "$package")
  directory=$VM_CACHE/kernels/${package}_$version
  if [ -z "$version" ] || ! unpack_package "$architecture" "$package" "$version" "$directory"; then
    directory=$(newest_unpacked "$VM_CACHE/kernels" "${PATTERN[$name]}")
    [ -n "$directory" ] || die "cannot download a package that matches ${PATTERN[$name]}"
    say "Taking $(basename "$directory"), there already"
  fi
  touch "$directory"
  package=$(basename "${directory%_*}")
  RELEASE[$name]=${package#linux-image-}
  KERNEL[$name]=$directory
  [ ! -e "$directory/btf" ] || return 0
  "$HERE/extract-btf.py" "$directory/boot/vmlinuz-${RELEASE[$name]}" "$directory/btf.part" ||
    die "cannot read the types of ${RELEASE[$name]}"
  mv "$directory/btf.part" "$directory/btf"
}

# What is shared with other checkouts, one at a time.
prepare_cache() {
  local architecture name
  mkdir -p "$VM_CACHE"
  exec {lock}>"$VM_CACHE/lock"
  flock "$lock"
  for architecture in "${!ARCHITECTURES[@]}"; do refresh_lists "$architecture"; done
  for name in "${NAMES[@]}"; do prepare_kernel "$name"; done
  if [ -n "${ARCHITECTURES[arm64]:-}" ]; then
    SYSROOT[arm64]=$(unpack_sysroot arm64 "${ARM64_PACKAGES[@]}") || die "cannot download the libraries of arm64"
  fi
  remove_unused "$VM_CACHE"/kernels/* "$VM_CACHE"/sysroot-*
  flock -u "$lock"
}

# Without a boot: what the objects ask of this kernel's types, for results.py.
resolve_relocations() {
  local code
  {
    echo "@@test core_relocations"
    "$BUILD/tests/core_relocations" "${KERNEL[$1]}/btf" 2>&1
    code=$?
    echo
    echo "@@end core_relocations $code 0"
  } >"$WORK/$1/relocations.log"
}

build_arm64() {
  local directory=${BUILD_OF[arm64]}
  # What CMake found in another root it would go on using.
  grep -qsx "MOONWATCH_SYSROOT:[A-Z]*=${SYSROOT[arm64]}" "$directory/CMakeCache.txt" || rm -rf "$directory"
  build "$directory" --toolchain "$HERE/aarch64.cmake" -DMOONWATCH_SYSROOT="${SYSROOT[arm64]}"
}

# Leaves kernel, release and initramfs.cpio of the guest.
prepare_guest() {
  local name=$1 directory=$WORK/$1 release=${RELEASE[$1]}
  make_modules "${KERNEL[$name]}" "$release" "$directory/modules.cpio" || die "cannot pack the modules of $name"
  cat "$WORK/system-${ARCHITECTURE[$name]}.cpio" "$directory/modules.cpio" >"$directory/initramfs.cpio"
  rm -rf "$directory"/modules.cpio*
  cp "${KERNEL[$name]}/boot/vmlinuz-$release" "$directory/kernel"
  echo "$release" >"$directory/release"
}

phase_prepare() {
  local architecture name
  for name in "${NAMES[@]}"; do
    rm -rf "${WORK:?}/$name"
    mkdir -p "$WORK/$name"
    ARCHITECTURES[${ARCHITECTURE[$name]}]=1
  done
  prepare_cache
  [ -z "${ARCHITECTURES[arm64]:-}" ] || build_arm64
  for architecture in "${!ARCHITECTURES[@]}"; do
    make_system "${BUILD_OF[$architecture]}" "${SYSROOT[$architecture]}" "${TRIPLET[$architecture]}" \
      "${STRIP[$architecture]}" "$WORK/system-$architecture.cpio" || die "cannot make the system of $architecture"
  done
  for name in "${NAMES[@]}"; do
    resolve_relocations "$name"
    prepare_guest "$name"
  done
  rm -rf "$WORK"/system-*
}

run_guest() {
  local name=$1 directory=$WORK/$1 begin=$SECONDS
  boot "${ARCHITECTURE[$name]}" "$directory"
  python3 "$HERE/results.py" "vm-$name" "$directory" "$RESULTS/vm-$name.xml" >"$directory/programs.log"
  echo "${TITLE[$name]} ($(<"$directory/release")): $((SECONDS - begin)) s"
}

# All at once: while one waits the others have the processors.
phase_run() {
  local name
  for name in "${NAMES[@]}"; do
    [ -e "$WORK/$name/release" ] || die "$name is not prepared"
  done
  for name in "${NAMES[@]}"; do
    rm -f "$RESULTS/vm-$name.xml"
    run_guest "$name" &
  done
  wait
}

read_kernels "$@"
[ ${#NAMES[@]} -gt 0 ] || die "no such kernel: $*"
WORK=$BUILD/vm
mkdir -p "$WORK" "$RESULTS"
declare -A KERNEL RELEASE ARCHITECTURES=()
for phase in $PHASES; do "phase_$phase"; done
