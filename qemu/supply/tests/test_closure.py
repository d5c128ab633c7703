"""Unpacked programs and their libraries: read as readelf reads them, found, named when missing, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from supply import closure, elf
from supply.report import Refusal

PROGRAM = Path("/usr/bin/ls")
MACHINE_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")


def machine_libraries(names: tuple[str, ...]) -> list[Path]:
    """The machine's own files of these names, and of what they need."""
    found: dict[str, Path] = {}
    rest = list(names)
    while rest:
        name = rest.pop()
        if name in found or name == Path(closure.LOADER).name:
            continue
        found[name] = MACHINE_LIBRARIES / name
        library = elf.read(found[name])
        assert library is not None, name
        rest.extend(library.needed)
    return list(found.values())


class Headers(unittest.TestCase):
    def test_as_readelf_reads_them(self) -> None:
        if not shutil.which("readelf"):
            self.skipTest("binutils are not installed")
        for path in (PROGRAM, MACHINE_LIBRARIES / "libc.so.6", Path("/usr/bin/dpkg-deb")):
            told = subprocess.run(["readelf", "--wide", "--dynamic", "--program-headers", path], capture_output=True, text=True, check=True).stdout
            found = elf.read(path)
            assert found is not None
            self.assertEqual(list(found.needed), re.findall(r"\(NEEDED\).*\[(.*)\]", told))
            self.assertEqual(found.soname, next(iter(re.findall(r"\(SONAME\).*\[(.*)\]", told)), None))
            self.assertEqual(found.interpreter, next(iter(re.findall(r"interpreter: (.*)\]", told)), None))
            self.assertEqual(found.fixed, "Elf file type is EXEC" in told)

    def test_what_is_no_whole_elf_file_is_none(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for number, content in enumerate([b"", b"#!/bin/sh\n", b"\x7fELF", PROGRAM.read_bytes()[:100]]):
                path = Path(folder, str(number))
                path.write_bytes(content)
                self.assertIsNone(elf.read(path))


class Names(unittest.TestCase):
    def test_package_of_a_library_by_debians_rule(self) -> None:
        for library, package in {
            "libwrap.so.0": "libwrap0",
            "libpcre.so.3": "libpcre3",
            "libgpg_error.so.0": "libgpg-error0",
            "libpcre2-8.so.0": "libpcre2-8-0",
            "libbfd-2.44.so": "libbfd2.44",
        }.items():
            self.assertEqual(closure.package_of(library), package)


class Unpacked(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) if hasattr(self, "enterContext") else Path(tempfile.mkdtemp())
        self.tree = self.folder / "being-built"
        (self.tree / "usr/bin").mkdir(parents=True)
        (self.tree / closure.LIBRARIES).mkdir(parents=True)
        (self.tree / "usr/lib64").mkdir()
        shutil.copy(PROGRAM, self.tree / "usr/bin/ls")
        shutil.copy("/" + closure.LOADER.removeprefix("usr/"), self.tree / closure.LOADER)
        program = elf.read(PROGRAM)
        assert program is not None
        self.libraries = machine_libraries(program.needed)
        for path in self.libraries:
            shutil.copy(path, self.tree / closure.LIBRARIES)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_a_missing_library_is_named_with_its_program_and_package(self) -> None:
        (self.tree / closure.LIBRARIES / "libc.so.6").unlink()
        with self.assertRaises(Refusal) as caught:
            closure.adopt(self.tree, self.folder / "place")
        self.assertIn("usr/bin/ls needs libc.so.6, which Debian keeps in libc6", str(caught.exception))
        self.assertIn("qemu/debian.sets", str(caught.exception))

    def test_a_library_of_a_library_is_looked_for_as_well(self) -> None:
        last = self.libraries[-1].name
        for name in ("libpcre2-8.so.0", last):
            path = self.tree / closure.LIBRARIES / name
            if path.exists():
                path.unlink()
                break
        with self.assertRaises(Refusal) as caught:
            closure.adopt(self.tree, self.folder / "place")
        self.assertIn(f"needs {path.name}", str(caught.exception))

    def test_programs_run_from_their_place_with_their_own_loader_and_libraries(self) -> None:
        if not os.environ.get("COUNTERSIGN_TOOLS"):
            self.skipTest("COUNTERSIGN_TOOLS names no unpacked build tools")
        place = self.folder / "a place"
        closure.adopt(self.tree, place)
        self.tree.rename(place)
        program = place / "usr/bin/ls"
        found = elf.read(program)
        assert found is not None
        self.assertEqual(found.interpreter, str(place / closure.LOADER))
        self.assertEqual(found.search, (str(place / closure.LIBRARIES),))
        self.assertEqual(subprocess.run([program, place], capture_output=True, text=True, check=True).stdout, "usr\n")
        # Without its loader it does not start: nothing of the machine's serves instead.
        (place / closure.LOADER).unlink()
        with self.assertRaises(FileNotFoundError):
            subprocess.run([program], check=False)


if __name__ == "__main__":
    unittest.main()
