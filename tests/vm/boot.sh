# Sourced by matrix.sh: one guest, from start to exit.
# shellcheck shell=bash disable=SC2154

# Emulated, not KVM: it is there on every machine, and the same on each. What only makes the emulation
# slower (five-level page tables, mitigations of what the emulator does not have) is off.
declare -A MACHINE=(
  [amd64]="qemu-system-x86_64 -accel tcg -cpu max,la57=off"
  [arm64]="qemu-system-aarch64 -accel tcg -M virt -cpu cortex-a72"
)
# The emulated processor does not promise that its time stamps are even, though the host's are: the
# guest would read a device for each look at the clock. The kernel panics when its timer has not ticked
# within some loops of its own, which a busy host can bring about.
declare -A ARGUMENTS=([amd64]="tsc=reliable clocksource=tsc no_timer_check" [arm64]="")
# Where the guest sees its first serial port and the second one.
declare -A CONSOLE=([amd64]=ttyS0 [arm64]=ttyAMA0)
declare -A RESULT_PORT=([amd64]=ttyS1 [arm64]=ttyS0)
declare -A RESULT_DEVICE=(
  [amd64]="-serial file:%s"
  [arm64]="-chardev file,id=result,path=%s -device pci-serial,chardev=result"
)
# Against hanging only: other work on the host makes guests slow.
GUEST_SECONDS=${MOONWATCH_VM_SECONDS:-3000}
GUEST_MEBIBYTES=512

# boot ARCHITECTURE DIRECTORY: DIRECTORY/kernel and initramfs.cpio; leaves console.log and result.log.
boot() {
  local architecture=$1 directory=$2 machine device port
  read -ra machine <<<"${MACHINE[$architecture]}"
  # shellcheck disable=SC2059
  read -ra device <<<"$(printf -- "${RESULT_DEVICE[$architecture]}" "$directory/result.log")"
  port=${RESULT_PORT[$architecture]}
  rm -f "$directory"/{console,result}.log
  truncate -s 128M "$directory/disk"
  mkfs.ext4 -q -F "$directory/disk" || return 1
  timeout --foreground -s KILL "$GUEST_SECONDS" "${machine[@]}" -smp 1 -m "$GUEST_MEBIBYTES" -nodefaults -no-reboot \
    -display none -nic none -kernel "$directory/kernel" -initrd "$directory/initramfs.cpio" -append \
    "console=${CONSOLE[$architecture]} ${ARGUMENTS[$architecture]} panic=-1 loglevel=5 mitigations=off result=$port only=${ONLY:-}" \
    -serial "file:$directory/console.log" "${device[@]}" \
    -drive "file=$directory/disk,format=raw,if=none,id=disk" -device nvme,drive=disk,serial=moonwatch \
    >"$directory/qemu.log" 2>&1
  rm -f "$directory/disk"
}
