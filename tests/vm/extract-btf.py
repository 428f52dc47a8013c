#!/usr/bin/env python3
"""Takes the type information (BTF) out of a packaged kernel image, without booting it.

usage: extract-btf.py VMLINUZ OUTPUT

Debian ships x86-64 as a bzImage, whose header says where the compressed kernel is
(Documentation/arch/x86/boot.rst), and arm64 as a plain Image. In either the BTF is a contiguous
section that begins with its header (include/uapi/linux/btf.h).
"""

import gzip
import lzma
import struct
import subprocess
import sys
from pathlib import Path

HEADER = struct.Struct("<HBBIIIII")
MAGIC = bytes.fromhex("9feb0100") + struct.pack("<I", HEADER.size)
# A kernel's; modules and programs embedded in the image have less.
LEAST_BYTES = 1 << 20


def run(*command):
    """A decompressor. The payload ends with the uncompressed size, which belongs to no frame: they
    complain of it when they have written all the rest."""
    return lambda data: subprocess.run(
        command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout


COMPRESSIONS = [
    (b"\xfd7zXZ\0", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x28\xb5\x2f\xfd", run("zstd", "-dcq")),
    (b"\x02\x21\x4c\x18", run("lz4", "-dcq")),
    (b"\x1f\x8b", gzip.decompress),
]


def kernel_of(image):
    """The uncompressed kernel."""
    if image[0x202:0x206] == b"HdrS":
        sectors = image[0x1F1] or 4
        offset, length = struct.unpack_from("<II", image, 0x248)
        start = (sectors + 1) * 512 + offset
        image = image[start : start + length]
    elif image[4:8] == b"zimg":
        offset, length = struct.unpack_from("<II", image, 8)
        image = image[offset : offset + length]
    for magic, unpack in COMPRESSIONS:
        if image.startswith(magic):
            return unpack(image)
    return image


def btf_of(kernel):
    at = kernel.find(MAGIC)
    while at >= 0:
        _, _, _, header, type_off, type_len, string_off, string_len = HEADER.unpack_from(kernel, at)
        size = header + string_off + string_len
        if type_off == 0 and string_off == type_len and LEAST_BYTES <= size <= len(kernel) - at:
            return kernel[at : at + size]
        at = kernel.find(MAGIC, at + 1)
    return None


def main():
    btf = btf_of(kernel_of(Path(sys.argv[1]).read_bytes()))
    if btf is None:
        sys.exit(f"{sys.argv[1]}: no BTF found in it")
    Path(sys.argv[2]).write_bytes(btf)


main()
