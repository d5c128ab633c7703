"""The lock: every file that is taken from Debian, one line a package.

    # comment
    format 1
    snapshot 20261129T103000Z
    PACKAGE VERSION ARCHITECTURE ARCHIVE PATH SIZE SHA256 SET,SET

ARCHIVE is `main` or `security`, PATH lies below that archive's root, SIZE counts bytes. `snapshot` is the moment at
which the archives' indexes named these files; a file that they no longer named then has a moment of its own behind its
archive: `main@20261120T000000Z`. Lines are sorted by architecture, package and version, so that a renewal reads as
a difference. The file is written by `qemu/lock`; one that was altered by hand into another form is refused with the
line.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from .report import Refusal

FORMAT = "1"
ARCHIVES = ("main", "security")

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+:~-]*")
_MOMENT = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_PATH = re.compile(r"pool(/[A-Za-z0-9+~_][A-Za-z0-9.+~_%-]*)+\.deb")
_SIZE = re.compile(r"[1-9][0-9]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SET = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIELDS = "package version architecture archive path size sha256 sets"

HEAD = """\
# What is taken from Debian, to the byte: {fields}.
# Written by qemu/lock from qemu/debian.sets; a line is never altered by hand.
format {format}
snapshot {moment}
"""


@dataclass(frozen=True)
class Package:
    """One file of the archive and the sets that hold it."""

    name: str
    version: str
    architecture: str
    #: `main` or `security`: the archive whose root `path` starts from.
    archive: str
    #: When an index last named the file, where that is not the moment of the whole lock.
    moment: str | None
    path: str
    #: In bytes.
    size: int
    sha256: str
    #: Sorted.
    sets: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """Order of the lines, and what no two lines may share."""
        return (self.architecture, self.name, self.version)

    @property
    def place(self) -> str:
        """The field ARCHIVE and the path."""
        return f"{self.archive if self.moment is None else f'{self.archive}@{self.moment}'} {self.path}"

    @property
    def identity(self) -> str:
        """The line of `packages.lock` in a set's folder: what the file is, not where it was."""
        return f"{self.name} {self.version} {self.architecture} {self.sha256}"

    @property
    def file_name(self) -> str:
        """As apt names the file in its cache: the colon of an epoch is `%3a`."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    def line(self) -> str:
        """The line of the lock."""
        return f"{self.name} {self.version} {self.architecture} {self.place} {self.size} {self.sha256} {','.join(self.sets)}"

    def in_sets(self, sets: tuple[str, ...]) -> Package:
        """The same file, held by these sets."""
        return replace(self, sets=tuple(sorted(set(sets))))


@dataclass(frozen=True)
class Lock:
    """A whole lock, in order."""

    #: `YYYYMMDDThhmmssZ`, the form of addresses in the archive of past states.
    moment: str
    packages: tuple[Package, ...]

    def of_set(self, name: str) -> list[Package]:
        """The packages of one set, in order."""
        return [package for package in self.packages if name in package.sets]

    def sets(self) -> set[str]:
        """The names of all sets."""
        return {name for package in self.packages for name in package.sets}

    def text(self) -> str:
        """The file."""
        head = HEAD.format(fields=_FIELDS.replace(" ", ", "), format=FORMAT, moment=self.moment)
        return head + "".join(f"{package.line()}\n" for package in self.packages)


def set_digest(packages: list[Package]) -> str:
    """Names the contents of a set: 24 hexadecimal digits over its `packages.lock`."""
    return hashlib.sha256(set_listing(packages).encode()).hexdigest()[:24]


def set_listing(packages: list[Package]) -> str:
    """`packages.lock` of a set's folder."""
    return "".join(f"{line}\n" for line in sorted(package.identity for package in packages))


def _refuse(path: str, number: int, found: str) -> Refusal:
    return Refusal(
        f"{path}:{number}: {found}. The lock is not edited by hand: restore the file (git checkout), "
        f"then qemu/lock renews it"
    )


def _package(path: str, number: int, line: str) -> Package:
    fields = line.split(" ")
    if len(fields) != 8:
        raise _refuse(path, number, f"{len(fields)} fields instead of the eight: {_FIELDS}")
    name, version, architecture, archive, place, size, sha256, sets = fields
    archive, at, moment = archive.partition("@")
    names = tuple(sets.split(","))
    for value, right, expected in (
        (name, _NAME.fullmatch(name), "the name of a package"),
        (version, _VERSION.fullmatch(version), "a version"),
        (architecture, architecture in ("all", "amd64", "s390x"), "an architecture: all, amd64 or s390x"),
        (archive, archive in ARCHIVES, "an archive: main or security"),
        (moment, not at or _MOMENT.fullmatch(moment), "a moment such as 20261129T103000Z"),
        (place, _PATH.fullmatch(place), "a path such as pool/main/x/xyz/xyz_1_all.deb"),
        (size, _SIZE.fullmatch(size), "a size in bytes"),
        (sha256, _SHA256.fullmatch(sha256), "a SHA-256 of 64 hexadecimal digits in small letters"),
        (sets, all(_SET.fullmatch(word) for word in names), "names of sets with a comma between"),
        (sets, list(names) == sorted(set(names)), "sets in order, each once"),
    ):
        if not right:
            raise _refuse(path, number, f"{value!r} is not {expected}")
    return Package(name, version, architecture, archive, moment or None, place, int(size), sha256, names)


def parse(text: str, path: str) -> Lock:
    """Reads a lock; `path` is for messages. Refuses what `Lock.text` would not have written."""
    words: dict[str, str] = {}
    packages: list[Package] = []
    held: dict[tuple[str, str], int] = {}
    number = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        if line.count(" ") == 1 and not packages:
            word, value = line.split(" ")
            if word not in ("format", "snapshot") or word in words:
                raise _refuse(path, number, f"{word!r} is neither the format nor the snapshot")
            if word == "format" and value != FORMAT:
                raise _refuse(path, number, f"format {value!r} is not the one that is read here, {FORMAT}")
            if word == "snapshot" and not _MOMENT.fullmatch(value):
                raise _refuse(path, number, f"{value!r} is not a moment such as 20261129T103000Z")
            words[word] = value
            continue
        package = _package(path, number, line)
        if packages and package.key == packages[-1].key:
            raise _refuse(path, number, f"{package.name} {package.version} {package.architecture} stands there twice")
        if packages and package.key < packages[-1].key:
            raise _refuse(path, number, f"{package.name} stands behind {packages[-1].name}: the lines are out of order")
        for name in package.sets:
            first = held.setdefault((name, package.name), number)
            if first != number:
                raise _refuse(path, number, f"set {name} already has {package.name}, of another version, in line {first}")
        packages.append(package)
    for word in ("format", "snapshot"):
        if word not in words:
            raise _refuse(path, number, f"the line {word!r} is missing at the head")
    return Lock(words["snapshot"], tuple(packages))
