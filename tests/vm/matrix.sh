#!/usr/bin/env bash
# Boots each kernel of tests/vm/kernels with this build in it, two at a time, and leaves a JUnit file
# vm-NAME.xml for each in the results directory.
# usage: matrix.sh BUILD RESULTS [NAME...]; $ONLY: a pattern of the test programs to run
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/setup.sh
. "$HERE/../../scripts/setup.sh"
CACHE=$ROOT/.cache/vm
# shellcheck source=tests/vm/packages.sh
. "$HERE/packages.sh"
# shellcheck source=tests/vm/initramfs.sh
. "$HERE/initramfs.sh"
# shellcheck source=tests/vm/boot.sh
. "$HERE/boot.sh"

BUILD=$1 RESULTS=$2
shift 2
# shellcheck disable=SC2034
MODULES=(loop sch_netem tcp_diag tun veth)
# What the arm64 build links with, and the tools that the guest needs.
ARM64_PACKAGES=(
  libc6-dev libbpf-dev libelf-dev zlib1g-dev libcjson-dev libmicrohttpd-dev libgnutls28-dev
  libsystemd-dev libcurl4-gnutls-dev libpq-dev libhiredis-dev libc-ares-dev libsqlite3-dev
  libcmocka-dev busybox-static dash iproute2 bpftool
  libbpf-tools
)
declare -A TRIPLET=([amd64]=x86_64-linux-gnu [arm64]=aarch64-linux-gnu)
declare -A SYSROOT=([amd64]="" [arm64]=$CACHE/sysroot-arm64)
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
  local name=$1 architecture=${ARCHITECTURE[$1]} package version
  package=$(newest_package "$architecture" "${PATTERN[$name]}")
  [ -n "$package" ] || die "no package matches ${PATTERN[$name]}"
  version=$(package_version "$architecture" "$package")
  RELEASE[$name]=${package#linux-image-}
  KERNEL[$name]=$CACHE/kernels/$package-$version
  unpack_package "$architecture" "$package" "$version" "${KERNEL[$name]}" ||
    die "cannot download $package $version"
}

# Without a boot: what the objects ask of this kernel's types, for results.py.
resolve_relocations() {
  local name=$1 btf=${KERNEL[$1]}/btf code
  [ -e "$btf" ] || "$HERE/extract-btf.py" "${KERNEL[$name]}/boot/vmlinuz-${RELEASE[$name]}" "$btf" ||
    die "cannot read the types of ${RELEASE[$name]}"
  {
    echo "@@test core_relocations"
    "$BUILD/tests/core_relocations" "$btf" 2>&1
    code=$?
    echo
    echo "@@end core_relocations $code 0"
  } >"$WORK/$name/relocations.log"
}

# Kernels that a newer build of their series has replaced.
remove_old_kernels() {
  local directory name kept=" "
  for name in "${NAMES[@]}"; do kept+="${KERNEL[$name]} "; done
  for directory in "$CACHE"/kernels/*/; do
    [[ $kept == *" ${directory%/} "* ]] || rm -rf "$directory"
  done
}

prepare_arm64() {
  unpack_sysroot arm64 "${SYSROOT[arm64]}" "${ARM64_PACKAGES[@]}" || die "cannot download the libraries of arm64"
  build "${BUILD_OF[arm64]}" --toolchain "$HERE/aarch64.cmake" -DMOONWATCH_SYSROOT="${SYSROOT[arm64]}"
}

run_guest() {
  local name=$1 architecture=${ARCHITECTURE[$1]} directory=$WORK/$1 release=${RELEASE[$1]} begin=$SECONDS
  make_modules "${KERNEL[$name]}" "$release" "$directory/modules.cpio" &&
    cat "$WORK/system-$architecture.cpio" "$directory/modules.cpio" >"$directory/initramfs.cpio" &&
    boot "$architecture" "${KERNEL[$name]}/boot/vmlinuz-$release" "$directory/initramfs.cpio" "$directory"
  rm -rf "$directory"/*.cpio "$directory"/*.tree "$directory/disk"
  python3 "$HERE/results.py" "vm-$name" "$directory" "$RESULTS/vm-$name.xml" >"$directory/programs.log"
  echo "${TITLE[$name]} ($release): $((SECONDS - begin)) s"
}

read_kernels "$@"
[ ${#NAMES[@]} -gt 0 ] || die "no such kernel: $*"
WORK=$BUILD/vm
mkdir -p "$WORK" "$RESULTS"
for name in "${NAMES[@]}"; do
  rm -rf "$RESULTS/vm-$name.xml" "${WORK:?}/$name"
  mkdir -p "$WORK/$name"
done

declare -A KERNEL RELEASE ARCHITECTURES=()
for name in "${NAMES[@]}"; do ARCHITECTURES[${ARCHITECTURE[$name]}]=1; done
for architecture in "${!ARCHITECTURES[@]}"; do
  refresh_lists "$architecture" || die "cannot read the package lists of $architecture"
done
for name in "${NAMES[@]}"; do
  prepare_kernel "$name"
  resolve_relocations "$name"
done
[ $# -gt 0 ] || remove_old_kernels
[ -z "${ARCHITECTURES[arm64]:-}" ] || prepare_arm64
for architecture in "${!ARCHITECTURES[@]}"; do
  make_system "${BUILD_OF[$architecture]}" "${SYSROOT[$architecture]}" "${TRIPLET[$architecture]}" \
    "${STRIP[$architecture]}" "$WORK/system-$architecture.cpio" || die "cannot make the system of $architecture"
done

# The slowest first: arm64 stands last in the list.
for ((i = ${#NAMES[@]} - 1; i >= 0; i--)); do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
  run_guest "${NAMES[i]}" &
done
wait
