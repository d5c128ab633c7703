"""A disk that boots by itself: zipl's boot record and bootmap, and the guest OS, under a GPT.

    python3 -m supply.disk BOOT_RECORD BOOTMAP OS_IMAGE IMAGE_JSON OUT

Writes the raw disk OUT, sparse. It does not know what zipl wrote: BOOT_RECORD is the first block, with the partition table's
place in it left alone, BOOTMAP has block pointers into the partition at FIRST, MAP_AT bytes behind its beginning
(qemu/image.d/block_device.c). The partition has no file system: the firmware follows block pointers, and nothing in the
guest reads it.

The partition of the guest OS has a GUID by which the guest finds it: the first 16 bytes of the root hash in image.json, as
the Discoverable Partitions Specification has it. The other GUIDs come from the same hash: same inputs, same bytes. No time is
written. Follows chapter 5 of the UEFI specification.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SECTOR = 512
"""Bytes of a block, of the table and of zipl's block pointers."""
ALIGNMENT = 1 << 20
FIRST = ALIGNMENT
"""First byte of the boot partition; qemu/image tells zipl."""
MAP_AT = 4096
"""Where the bootmap begins in it."""

ENTRIES = 128
ENTRY = 128
ARRAY_SECTORS = ENTRIES * ENTRY // SECTOR

RESERVED = uuid.UUID("8da63339-0007-60c0-c436-083ac8230908")
"""Type of a partition that nothing mounts: Linux reserved."""
FILE_SYSTEM = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
"""Type: Linux file system data."""

CODE = slice(0, 440)
"""What of the first block is the boot record's."""


class DiskError(Exception):
    """What is wrong with an input."""


@dataclass(frozen=True)
class Partition:
    name: str
    kind: uuid.UUID
    guid: uuid.UUID
    start: int
    size: int

    def entry(self) -> bytes:
        first, last = self.start // SECTOR, (self.start + self.size) // SECTOR - 1
        name = self.name.encode("utf-16-le").ljust(72, b"\0")
        return self.kind.bytes_le + self.guid.bytes_le + struct.pack("<QQQ", first, last, 0) + name


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def root_hash(image_json: Path) -> bytes:
    root = json.loads(image_json.read_text())["root"]
    found = bytes.fromhex(root["root_hash"])
    if len(found) < 32:
        raise DiskError(f"{image_json}: expected a root hash of 32 bytes or more")
    return found


def header(own: int, other: int, array: int, last_usable: int, disk: uuid.UUID, entries: bytes) -> bytes:
    def packed(checksum: int) -> bytes:
        return struct.pack(
            "<8s4sIIIQQQQ16sQIII",
            b"EFI PART",
            b"\0\0\1\0",
            92,
            checksum,
            0,
            own,
            other,
            2 + ARRAY_SECTORS,
            last_usable,
            disk.bytes_le,
            array,
            ENTRIES,
            ENTRY,
            zlib.crc32(entries),
        )

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")


def protective(boot_record: bytes, sectors: int) -> bytes:
    covered = min(sectors - 1, 0xFFFFFFFF)
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, covered)
    return (boot_record[CODE].ljust(446, b"\0") + entry).ljust(510, b"\0") + b"\x55\xaa"


def copy(source: Path, out: BinaryIO, at: int) -> None:
    """Holes of the disk stay holes where the source has whole blocks of zeros."""
    with source.open("rb") as file:
        while block := file.read(1 << 16):
            if block.count(0) != len(block):
                out.seek(at)
                out.write(block)
            at += len(block)


def write(boot_record: bytes, bootmap: Path, os_image: Path, hashed: bytes, out: Path) -> None:
    if len(boot_record) != SECTOR or boot_record[:4] != b"zIPL":
        raise DiskError("expected a boot record of zipl, 512 bytes that begin with zIPL")
    boot_size = aligned(MAP_AT + bootmap.stat().st_size)
    os_start = FIRST + boot_size
    os_size = aligned(os_image.stat().st_size)
    made = hashlib.sha256(b"countersign boot partition" + hashed).digest()
    partitions = [
        Partition("boot", RESERVED, uuid.UUID(bytes=made[:16]), FIRST, boot_size),
        Partition("os", FILE_SYSTEM, uuid.UUID(bytes=hashed[:16]), os_start, os_size),
    ]
    disk = uuid.UUID(bytes=hashed[16:32])
    size = os_start + os_size + ALIGNMENT
    sectors = size // SECTOR
    entries = b"".join(partition.entry() for partition in partitions).ljust(ENTRIES * ENTRY, b"\0")
    backup = sectors - 1 - ARRAY_SECTORS
    with out.open("wb") as file:
        file.truncate(size)
        file.write(protective(boot_record, sectors))
        file.write(header(1, sectors - 1, 2, backup - 1, disk, entries))
        file.write(entries)
        copy(bootmap, file, FIRST + MAP_AT)
        copy(os_image, file, os_start)
        file.seek(backup * SECTOR)
        file.write(entries)
        file.write(header(sectors - 1, 1, backup, backup - 1, disk, entries))


def main(arguments: list[str]) -> int:
    if len(arguments) != 5:
        print((__doc__ or "").split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    record, bootmap, os_image, image_json, out = map(Path, arguments)
    try:
        write(record.read_bytes(), bootmap, os_image, root_hash(image_json), out)
    except (DiskError, OSError, ValueError, KeyError) as error:
        print(f"disk: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
