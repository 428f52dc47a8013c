# Sourced by matrix.sh: the guest's root file system as cpio archives, which may be concatenated.
# shellcheck shell=bash disable=SC2154

# The first that exists of a program's usual places below a root directory.
find_program() {
  local root=$1 name=$2 directory
  for directory in bin sbin usr/bin usr/sbin; do
    [ ! -x "$root/$directory/$name" ] || {
      echo "$root/$directory/$name"
      return 0
    }
  done
  echo "no $name below ${root:-/}" >&2
  return 1
}

# needed FILE...: names of the shared libraries the files ask for.
needed() {
  readelf -d "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u
}

# copy_libraries TREE ROOT TRIPLET FILE...: what the loader will look for, found below ROOT.
copy_libraries() {
  local tree=$1 root=$2 triplet=$3 name file loader found=() wanted
  shift 3
  mkdir -p "$tree/lib/$triplet"
  loader=$(readelf -l "$1" | sed -n 's/.*program interpreter: \(.*\)]/\1/p')
  mkdir -p "$tree/$(dirname "$loader")"
  cp -L "$root$loader" "$tree$loader"
  wanted=$(needed "$@")
  while [ -n "$wanted" ]; do
    found=()
    for name in $wanted; do
      [ ! -e "$tree/lib/$triplet/$name" ] || continue
      for file in "$root/lib/$triplet/$name" "$root/usr/lib/$triplet/$name" "$root$loader"; do
        [ "$(basename "$file")" = "$name" ] && [ -e "$file" ] && break
        file=
      done
      [ -n "$file" ] || {
        echo "no $name below ${root:-/}" >&2
        return 1
      }
      cp -L "$file" "$tree/lib/$triplet/$name"
      found+=("$tree/lib/$triplet/$name")
    done
    [ ${#found[@]} -gt 0 ] || break
    wanted=$(needed "${found[@]}")
  done
}

# make_system BUILD ROOT TRIPLET STRIP OUTPUT: this build's agent and tests, and what they need.
make_system() {
  local build=$1 root=$2 triplet=$3 strip=$4 output=$5 tree=$5.tree file tool
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,sbin,usr,dev,proc,sys,tmp,run,var/tmp,etc,tests,modules,boot,var/lib}
  ln -s ../bin ../sbin "$tree/usr/"
  cp "$HERE/guest/init" "$tree/init"
  cp "$(find_program "$root" busybox)" "$tree/bin/busybox" || return 1
  for tool in ip tc bpftool runqlat; do
    file=$(find_program "$root" "$tool") || return 1
    cp -L "$file" "$tree/sbin/$tool"
  done
  # Busybox's shell prefers its own applets to what is in PATH: tests that run `ip` mean iproute2's.
  file=$(find_program "$root" dash) || return 1
  cp -L "$file" "$tree/sbin/sh"
  ln -s ../sbin/sh "$tree/bin/sh"
  cp "$build/moonwatch" "$tree/bin/moonwatch"
  find "$build/tests" -maxdepth 1 -type f -executable \( -name 'bpf_test_*' -o -name 'vm_test_*' \) \
    -exec cp -t "$tree/tests" {} +
  # Nothing asks for it until a name is to be resolved.
  mkdir -p "$tree/lib/$triplet"
  cp -L "$root/usr/lib/$triplet/libcares.so.2" "$tree/lib/$triplet/" || return 1
  copy_libraries "$tree" "$root" "$triplet" "$tree"/bin/moonwatch "$tree"/sbin/* "$tree"/tests/* \
    "$tree/lib/$triplet/libcares.so.2" || return 1
  # Debug information is nine tenths of the archive.
  "$strip" --strip-debug "$tree"/bin/moonwatch "$tree"/tests/* || return 1
  printf 'root:x:0:0:root:/:/bin/sh\n' >"$tree/etc/passwd"
  printf '127.0.0.1 localhost\n' >"$tree/etc/hosts"
  (cd "$tree" && find . | cpio --quiet -o -H newc) >"$output"
}

# make_modules KERNEL_DIRECTORY RELEASE OUTPUT: the modules and, in the order of loading, their names.
make_modules() {
  local directory=$1 release=$2 output=$3 tree=$3.tree path name
  rm -rf "$tree"
  mkdir -p "$tree/modules"
  [ -e "$directory/lib/modules/$release/modules.dep.bin" ] || depmod -b "$directory" "$release" ||
    return 1
  for name in "${MODULES[@]}"; do
    modprobe -d "$directory" -S "$release" --show-depends "$name" || return 1
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$tree/paths"
  while read -r path; do
    name=$(basename "$path")
    case $name in
    *.xz) xz -dc "$path" >"$tree/modules/${name%.xz}" ;;
    *) cp "$path" "$tree/modules/$name" ;;
    esac || return 1
    echo "${name%.xz}" >>"$tree/modules/order"
  done <"$tree/paths"
  (cd "$tree" && find modules | cpio --quiet -o -H newc) >"$output"
}
