"""`qemu/debian.sets`: which packages are locked, in sets that are fetched and unpacked as one.

One section a set:

    arch        s390x or amd64
    suites      where it is resolved; one that ends in -security is of the security archive
    kind        set: with all dependencies, no recommendations; direct: with what these directly depend on; alone:
                exactly these
    packages    names, one a line, the reason behind `#`
    include     files of names beside `debian.sets`; `-PATTERN` in them counts as `without`
    without     patterns of names that are not taken, though something depends on them
    like        another set: what both hold has the same version in both
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .lock import Lock
from .report import Refusal

#: The release of the guest, and of every tool.
SUITES = "trixie trixie-updates trixie-security"
KINDS = ("set", "direct", "alone")
_KEYS = {"arch", "suites", "kind", "packages", "include", "without", "like"}


@dataclass(frozen=True)
class Set:
    """One set, as the file asks for it."""

    name: str
    arch: str
    suites: tuple[str, ...]
    #: `set`, `direct` or `alone`.
    kind: str
    packages: tuple[str, ...]
    without: tuple[str, ...]
    like: str | None

    def takes(self, package: str) -> bool:
        """Whether no pattern of `without` matches the name."""
        return not any(fnmatchcase(package, pattern) for pattern in self.without)


def read(path: Path) -> dict[str, Set]:
    """All sets by name, in the order of the file."""
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), inline_comment_prefixes=("#",), default_section="\n"
    )
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file, str(path))
    except configparser.Error as error:
        raise Refusal(f"{path}: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from error
    sets = {name: _set(path, name, dict(parser[name])) for name in parser.sections()}
    for one in sets.values():
        if one.like is not None and one.like not in sets:
            raise Refusal(f"{path}: set {one.name}: like = {one.like}: there is no such set")
    return sets


def _set(path: Path, name: str, values: dict[str, str]) -> Set:
    def refuse(text: str) -> Refusal:
        return Refusal(f"{path}: set {name}: {text}")

    for key in values:
        if key not in _KEYS:
            raise refuse(f"{key!r} is not one of {', '.join(sorted(_KEYS))}")
    if values.get("arch") not in ("amd64", "s390x"):
        raise refuse("arch must be amd64 or s390x")
    if values.get("kind") not in KINDS:
        raise refuse("kind must be set (with dependencies), direct (with those that these name) or alone (exactly these)")
    words = values.get("packages", "").split()
    without = values.get("without", "").split()
    for included in values.get("include", "").split():
        for line in _lines(path.parent / included):
            if line.startswith("-"):
                without.append(line[1:])
            else:
                words.append(line)
    if not words:
        raise refuse("neither packages nor include names a package")
    return Set(
        name, values["arch"], tuple(values.get("suites", SUITES).split()), values["kind"], tuple(dict.fromkeys(words)),
        tuple(without), values.get("like"),
    )  # fmt: skip


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from error
    found = [line.split("#")[0].split() for line in text.splitlines()]
    return [words[0] for words in found if words]


def check(lock: Lock, sets: dict[str, Set], lock_path: str, sets_path: str) -> None:
    """The lock and the sets must speak of the same things; else one was altered without the other."""
    advice = "run qemu/lock"
    locked: dict[str, set[str]] = {}
    for package in lock.packages:
        for name in package.sets:
            if name not in sets:
                raise Refusal(
                    f"{lock_path}: {package.name} {package.version} is held by set {name!r}, which {sets_path} does not have: {advice}"
                )
            if package.architecture not in ("all", sets[name].arch):
                raise Refusal(
                    f"{lock_path}: {package.name} {package.version} is for {package.architecture}, its set {name} for "
                    f"{sets[name].arch}: {advice}"
                )
            locked.setdefault(name, set()).add(package.name)
    for name, one in sets.items():
        if name not in locked:
            raise Refusal(f"{lock_path}: set {name} of {sets_path} has no line: {advice}")
        for wanted in one.packages:
            if wanted not in locked[name]:
                raise Refusal(f"{lock_path}: {wanted}, which set {name} of {sets_path} asks for, has no line: {advice}")
