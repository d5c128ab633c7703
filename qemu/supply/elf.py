"""What an ELF file says of the libraries it needs. Read from its headers (System V ABI, chapters 4 and 5); nothing is run.

Only what the set-up asks: machine, interpreter, NEEDED, SONAME, RPATH and RUNPATH, of 64-bit files of either byte order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"\x7fELF"
_CLASS_64 = 2
_ORDER = {1: "<", 2: ">"}
_ET_EXEC = 2
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29

X86_64 = 62
S390 = 22


@dataclass(frozen=True)
class Elf:
    """One program or library."""

    machine: int
    # Whether it is linked to a fixed address (ET_EXEC).
    fixed: bool
    # Path of the loader; none for libraries and static programs.
    interpreter: str | None
    needed: tuple[str, ...]
    soname: str | None
    # Folders that the file itself names for its libraries.
    search: tuple[str, ...]


def read(path: Path) -> Elf | None:
    """The file at `path`; nothing where it is not a whole 64-bit ELF file with program headers."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                return None
            file.seek(0)
            return _parse(file.read())
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def _parse(data: bytes) -> Elf | None:
    if data[4] != _CLASS_64 or data[5] not in _ORDER:
        return None
    order = _ORDER[data[5]]
    kind, machine = struct.unpack_from(order + "HH", data, 16)
    fixed = kind == _ET_EXEC
    header, = struct.unpack_from(order + "Q", data, 32)
    size, count = struct.unpack_from(order + "HH", data, 54)
    interpreter, dynamic, loads = None, b"", []
    for number in range(count):
        kind, _, offset, address, _, length = struct.unpack_from(order + "IIQQQQ", data, header + number * size)
        if kind == _PT_INTERP:
            interpreter = data[offset : offset + length].rstrip(b"\0").decode()
        elif kind == _PT_DYNAMIC:
            dynamic = data[offset : offset + length]
        elif kind == _PT_LOAD:
            loads.append((address, offset, length))
    entries = list(struct.iter_unpack(order + "QQ", dynamic))
    table = next((_offset(loads, value) for tag, value in entries if tag == _DT_STRTAB), None)

    def names(*tags: int) -> list[str]:
        return [] if table is None else [_text(data, table + value) for tag, value in entries if tag in tags]

    search = [folder for paths in names(_DT_RPATH, _DT_RUNPATH) for folder in paths.split(":") if folder]
    soname = next(iter(names(_DT_SONAME)), None)
    return Elf(machine, fixed, interpreter, tuple(names(_DT_NEEDED)), soname, tuple(search))


def _offset(loads: list[tuple[int, int, int]], address: int) -> int | None:
    return next((offset + address - start for start, offset, length in loads if start <= address < start + length), None)


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()
