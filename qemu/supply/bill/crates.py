"""The crates of countersignd, from what cargo says.

`cargo tree` knows the features that are really on and so names the crates; `cargo metadata` knows licence and folder;
`Cargo.lock` has the digest of what was downloaded. Python 3.10 reads no TOML, and the lock's form is simple.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..report import Refusal

LICENCE_FILE = re.compile(r"^(licen[cs]es?|copying|copyright|notice|unlicense)\b", re.IGNORECASE)
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
TREE_LINE = re.compile(r"^(\S+) v(\S+)")


@dataclass(frozen=True)
class Crate:
    """One version of a crate of crates.io."""

    name: str
    version: str
    # SPDX expression.
    licence: str
    # SHA-256 of the crate's archive.
    sha256: str
    # Part of the program; else a macro or a build script, or for one of them.
    linked: bool
    # Licence files: name below the crate's folder, text.
    texts: tuple[tuple[str, str], ...]

    @property
    def key(self) -> tuple[str, str]:
        """Name and version."""
        return self.name, self.version


def read(metadata: str, lock: str, linked: str, built: str) -> list[Crate]:
    """All crates of crates.io; our own are left out.

    `metadata` is the output of `cargo metadata`, `lock` the text of Cargo.lock, `linked` and `built` the output of
    `cargo tree --prefix none` without and with macros and build scripts.
    """
    packages = {(package["name"], package["version"]): package for package in json.loads(metadata)["packages"]}
    digests = checksums(lock)
    inside = tree(linked)
    found = []
    for key in sorted(inside | tree(built)):
        if key not in packages:
            raise Refusal(f"cargo metadata does not know {key[0]} {key[1]}, which cargo tree names")
        package = packages[key]
        if package["source"] is None:
            continue
        if package["source"] != CRATES_IO or key not in digests:
            raise Refusal(f"{key[0]} {key[1]} is not from crates.io: its origin is {package['source']}")
        found.append(_crate(package, digests[key], key in inside))
    return found


def tree(text: str) -> set[tuple[str, str]]:
    """Name and version of each line."""
    return {match.groups() for line in text.splitlines() if (match := TREE_LINE.match(line))}  # type: ignore[misc]


def checksums(lock: str) -> dict[tuple[str, str], str]:
    """Digests by name and version."""
    found = {}
    for block in lock.split("[[package]]")[1:]:
        keys = dict(re.findall(r'^(name|version|checksum) = "([^"]*)"$', block, re.MULTILINE))
        if "checksum" in keys:
            found[keys["name"], keys["version"]] = keys["checksum"]
    return found


def _crate(package: dict[str, Any], sha256: str, linked: bool) -> Crate:
    folder = Path(package["manifest_path"]).parent
    names = {path.relative_to(folder).as_posix() for path in _licence_files(folder)}
    if package["license_file"]:
        names.add(Path(package["license_file"]).as_posix())
    texts = tuple((name, (folder / name).read_text(encoding="utf-8", errors="replace")) for name in sorted(names))
    # Before SPDX had expressions, crates.io wrote a slash for "or".
    licence = " OR ".join(word.strip() for word in (package["license"] or "").split("/"))
    if not licence and not texts:
        raise Refusal(f"{package['name']} {package['version']} names no licence and has no licence file")
    return Crate(package["name"], package["version"], licence, sha256, linked, texts)


def _licence_files(folder: Path) -> Iterable[Path]:
    for path in folder.iterdir():
        if not LICENCE_FILE.match(path.name) or path.suffix in (".rs", ".toml"):
            continue
        if path.is_dir():
            yield from (below for below in path.rglob("*") if below.is_file())
        else:
            yield path
