"""What notices and the bill of materials are made from, gathered into one folder.

    material.json   packages and crates with versions, digests, licences
    files.json      for each part of the image, which package each file is from
    texts/SHA256    copyright files and licences, each text once
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..report import Refusal
from . import crates, debs, licences

# Debian packages that decide the image's bytes without being in it.
BUILD = "build"


@dataclass
class Package:
    """A Debian package."""

    name: str
    version: str
    architecture: str
    sha256: str
    source: str
    # Debian 13, "debian-13", as purls name a release.
    distribution: str
    built_using: list[str]
    # Parts of the image whose set it is in, or "build".
    parts: list[str]
    # SPDX expression; empty where its copyright file is not machine-readable.
    licence: str
    # Digest of its copyright file's text; empty for packages that are only built with.
    text: str


@dataclass
class CrateEntry:
    """A crate."""

    name: str
    version: str
    licence: str
    sha256: str
    linked: bool
    # Name and digest of each licence file.
    texts: list[list[str]]


@dataclass
class Material:
    """All of it."""

    packages: list[Package] = field(default_factory=list)
    crates: list[CrateEntry] = field(default_factory=list)
    # Name below /usr/share/common-licenses and digest of the text.
    common: dict[str, str] = field(default_factory=dict)
    # Part of the image, path, package.
    files: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class SetFolder:
    """A set's folder, the part of the image that its packages make up, and the release they are from."""

    part: str
    folder: Path
    distribution: str


def gather(sets: list[SetFolder], found_crates: Iterable[crates.Crate], kept: Path, out: Path) -> Material:
    """Reads everything and writes the folder `out`."""
    material = Material()
    texts: dict[str, str] = {}

    def text_of(content: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        texts[digest] = content
        return digest

    read = [(entry, deb) for entry in sets for deb in debs.read_folder(entry.folder, kept)]
    every = [deb for _, deb in read]
    packages: dict[tuple[str, str, str], Package] = {}
    for entry, deb in read:
        material.common.update({name: text_of(text) for name, text in deb.facts.common.items()})
        key = (deb.name, deb.version, deb.architecture)
        if key not in packages:
            packages[key] = Package(deb.name, deb.version, deb.architecture, deb.sha256, deb.facts.source,
                                    entry.distribution, deb.facts.built_using, [], "", "")
        package = packages[key]
        if package.sha256 != deb.sha256:
            raise Refusal(f"{deb.name} {deb.version} {deb.architecture} has two digests: {package.sha256}, {deb.sha256}")
        if entry.part not in package.parts:
            package.parts.append(entry.part)
        try:
            copyright_file = debs.copyright_text(deb, every)
        except Refusal:
            # Of a tool it is nice to know; what is in the image must have it.
            if entry.part != BUILD:
                raise
            copyright_file = ""
        package.licence = licences.expression(copyright_file, package.source.split()[0])
        if entry.part != BUILD:
            package.text = text_of(copyright_file)
            material.files.setdefault(entry.part, {}).update({path: deb.name for path in deb.facts.files})
    for package in packages.values():
        package.parts = sorted(part for part in package.parts if part != BUILD) or [BUILD]
    material.packages = [packages[key] for key in sorted(packages)]
    for crate in found_crates:
        named = [[name, text_of(text)] for name, text in crate.texts]
        material.crates.append(CrateEntry(crate.name, crate.version, crate.licence, crate.sha256, crate.linked, named))
    material.common = dict(sorted(material.common.items()))
    _write(material, texts, out)
    return material


def _write(material: Material, texts: dict[str, str], out: Path) -> None:
    (out / "texts").mkdir(parents=True, exist_ok=True)
    for digest, text in texts.items():
        (out / "texts" / digest).write_text(text, encoding="utf-8")
    whole = asdict(material)
    files = whole.pop("files")
    (out / "material.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (out / "files.json").write_text(json.dumps(files, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def load(folder: Path) -> Material:
    """Reads what `gather` wrote."""
    try:
        whole = json.loads((folder / "material.json").read_text(encoding="utf-8"))
        files = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be read ({error.strerror}): `supply.bill gather` writes it") from error
    return Material(
        [Package(**entry) for entry in whole["packages"]],
        [CrateEntry(**entry) for entry in whole["crates"]],
        whole["common"],
        files,
    )


def kept_packages(material: Material, kept: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Part and package name of every package that has a file in the image.

    `kept` lists the paths of a part's packages that are in it; of a part without a list all packages are.
    """
    found = set()
    for part, paths in kept.items():
        owners = material.files.get(part)
        if owners is None:
            raise Refusal(f"no set was gathered for the part {part}: there are {', '.join(material.files) or 'none'}")
        for path in paths:
            if path not in owners:
                raise Refusal(f"/{path} of {part} is in none of its packages")
            found.add((part, owners[path]))
    for package in material.packages:
        found.update((part, package.name) for part in package.parts if part not in kept and part != BUILD)
    return found
