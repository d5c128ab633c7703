"""Unpacked programs that run on this machine with the loader and the libraries that were unpacked with them.

`adopt` tells every program of a folder, in its own header, where they lie (patchelf, from the set `tools`), and holds
that each library that a program needs is there: what is missing is named now, in seconds, and not by a test that waits
for a server that could not start. A program that is linked to a fixed address has no room for a longer header
(patchelf's own documentation warns of it, and the compiler proper then crashes): a script starts it by the loader.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import elf
from .report import Refusal

LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = "usr/lib64/ld-linux-x86-64.so.2"
# Names that many headers fit on one command line.
_BATCH = 200


@dataclass(frozen=True)
class Missing:
    """A library that a program needs and no package brought."""

    program: str
    library: str

    def __str__(self) -> str:
        return f"{self.program} needs {self.library}, which Debian keeps in {package_of(self.library)}"


def package_of(library: str) -> str:
    """The package that holds a library by the rule of its name (Debian Policy 8.1): libwrap.so.0 is in libwrap0."""
    if found := re.fullmatch(r"(.+)\.so\.([0-9.]+)", library):
        name, version = found.groups()
        return f"{name}{'-' if name[-1].isdigit() else ''}{version}".lower().replace("_", "-")
    if found := re.fullmatch(r"(.+)-([0-9.]+)\.so", library):
        return f"{found[1]}{found[2]}".lower().replace("_", "-")
    return "a package whose name its own does not tell"


def adopt(folder: Path, place: Path) -> None:
    """Makes all programs below `folder` run once the folder lies at `place`.

    Refused, with every program and library, when a library is missing.
    """
    files = _of_this_machine(folder)
    if missing := missing_libraries(folder, files):
        raise Refusal(
            "programs were unpacked without libraries that they need: add the packages to their set in "
            "qemu/debian.sets and run qemu/lock\n" + "\n".join(f"  {one}" for one in missing)
        )
    loader = str(place / LOADER)
    programs = {path for path, file in files.items() if file.interpreter and not file.fixed}
    for path, file in files.items():
        if file.interpreter and file.fixed:
            _start_by_loader(path, place / path.relative_to(folder), loader, _search(folder, file), place)
    with tempfile.TemporaryDirectory() as work:
        patchelf = _patchelf(folder, Path(work))
        groups: dict[tuple[str, ...], list[Path]] = {}
        for path, file in files.items():
            if path not in programs and (file.fixed or not file.search):
                continue
            # RPATH, which holds for libraries of libraries too; a library's own RUNPATH would hide it, so it goes there.
            words = ("--force-rpath", "--set-rpath", ":".join(str(place / name) for name in _search(folder, file)))
            groups.setdefault((("--set-interpreter", loader) if path in programs else ()) + words, []).append(path)
        for options, paths in groups.items():
            for first in range(0, len(paths), _BATCH):
                _run([*patchelf, *options, *map(str, paths[first : first + _BATCH])])


def _start_by_loader(path: Path, final: Path, loader: str, search: list[str], place: Path) -> None:
    libraries = ":".join(str(place / name) for name in search)
    path.rename(path.with_name(f".{path.name}.program"))
    program = final.with_name(f".{path.name}.program")
    path.write_text(
        f"#!/bin/sh\nexec '{loader}' --library-path '{libraries}' '{program}' \"$@\"\n", encoding="utf-8"
    )
    path.chmod(0o755)


def missing_libraries(folder: Path, files: dict[Path, elf.Elf]) -> list[Missing]:
    """What the programs among `files`, and the libraries that they need, do not find below `folder`."""
    missing: dict[Missing, None] = {}
    for program, file in files.items():
        if file.interpreter is None:
            continue
        seen, rest = set(), [(name, file) for name in file.needed]
        while rest:
            name, by = rest.pop()
            if name in seen or name == Path(LOADER).name:
                continue
            seen.add(name)
            found = _find(folder, name, (file, by))
            if found is None:
                missing[Missing(str(program.relative_to(folder)), name)] = None
            elif library := files.get(found) or elf.read(found):
                rest.extend((needed, library) for needed in library.needed)
    return list(missing)


def _of_this_machine(folder: Path) -> dict[Path, elf.Elf]:
    found = {}
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in sorted(names)):
            if path.is_symlink() or not path.is_file():
                continue
            file = elf.read(path)
            # The loader and the C library can be started as programs, too, and stay as they are.
            if file and file.machine == elf.X86_64 and path.name not in (Path(LOADER).name, "libc.so.6"):
                found[path] = file
    return found


def _search(folder: Path, *files: elf.Elf) -> list[str]:
    """Folders below the tree in which the loader is to look: the common one, and those that the files themselves name."""
    folders = dict.fromkeys([LIBRARIES])
    for file in files:
        for name in file.search:
            relative = os.path.normpath(name).lstrip("/")
            relative = relative if relative.startswith("usr/") else f"usr/{relative}"
            if (folder / relative).is_dir():
                folders[relative] = None
    return list(folders)


def _find(folder: Path, name: str, files: tuple[elf.Elf, ...]) -> Path | None:
    for place in _search(folder, *files):
        path = folder / place / name
        if path.exists():
            return path.resolve()
    return None


def _patchelf(folder: Path, work: Path) -> list[str]:
    """The command that starts patchelf: of the build tools, or, while these are being unpacked, of this folder."""
    if tools := os.environ.get("COUNTERSIGN_TOOLS"):
        return [str(Path(tools) / "usr/bin/patchelf")]
    own = folder / "usr/bin/patchelf"
    if not own.is_file():
        raise Refusal(f"{folder} has no patchelf, and COUNTERSIGN_TOOLS names no folder that has it")
    # It changes itself as well: what runs is a copy, which is not changed.
    shutil.copy(own, work / "patchelf")
    return [str(folder / LOADER), "--library-path", str(folder / LIBRARIES), str(work / "patchelf")]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"patchelf ended with status {done.returncode}: {done.stderr.strip()}")
