"""The notices of others' work: one text with every copyright file and licence of what is in the image."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..report import Refusal
from .material import BUILD, Material, Package

RULE = "=" * 79
COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")
INTRODUCTION = """\
Third-party software in this image, and its licences.

Countersign itself is under the Apache License 2.0, the text of which is among those below. The image holds programs of
Debian, unaltered, and the program countersignd, into which libraries of crates.io are linked. Each text follows once,
with the names of what it belongs to. Debian's copyright files speak of whole source packages, of which the image may
have a part. The source of each Debian package is that of the same version in Debian's archive; the source of each
crate is what crates.io has under its name and version.
"""


def write(material: Material, inside: set[tuple[str, str]], text_of: Callable[[str], str]) -> str:
    """The whole text. `inside` holds part and name of the packages that are in the image."""
    owners: dict[str, list[str]] = {}
    for package in material.packages:
        if BUILD not in package.parts and any((part, package.name) in inside for part in package.parts):
            owners.setdefault(package.text, []).append(_title(package))
    debian = {digest: ("Debian: " + ", ".join(names), text_of(digest)) for digest, names in owners.items()}
    sections = sorted(debian.values())
    sections += _crates(material, text_of)
    sections += _common(material, [text for _, text in sections], text_of)
    return INTRODUCTION + "".join(f"\n{RULE}\n{_wrapped(title)}\n{RULE}\n\n{text.strip(chr(10))}\n" for title, text in sections)


def _title(package: Package) -> str:
    return f"{package.name} {package.version}"


def _crates(material: Material, text_of: Callable[[str], str]) -> list[tuple[str, str]]:
    linked = [crate for crate in material.crates if crate.linked]
    if not linked:
        return []
    owners: dict[str, list[str]] = {}
    lines = []
    for crate in linked:
        lines.append(f"{crate.name} {crate.version}: {crate.licence or 'see its licence file'}")
        if not crate.texts:
            lines[-1] += " (its package has no licence file)"
        for name, digest in crate.texts:
            owners.setdefault(digest, []).append(f"{crate.name} {crate.version} ({name})")
    named = sorted((names[0], "crates.io: " + ", ".join(names), text_of(digest)) for digest, names in owners.items())
    return [("Crates linked into countersignd", "\n".join(lines)), *((title, text) for _, title, text in named)]


def _common(material: Material, texts: list[str], text_of: Callable[[str], str]) -> list[tuple[str, str]]:
    """The texts that copyright files only refer to."""
    found = sorted({name for text in texts for name in COMMON.findall(text)})
    if found and not material.common:
        raise Refusal(
            f"copyright files refer to /usr/share/common-licenses/{found[0]}, which is in none of the sets: "
            "the package base-files has it"
        )
    # Some files name one that no Debian has ever had.
    found = [name for name in found if name in material.common]
    # GPL is a link to the newest version: two names of one text.
    names: dict[str, list[str]] = {}
    for name in found:
        names.setdefault(material.common[name], []).append(f"/usr/share/common-licenses/{name}")
    return sorted((", ".join(paths), text_of(digest)) for digest, paths in names.items())


def _wrapped(title: str) -> str:
    """Lines of at most 120 characters, broken behind a comma."""
    lines = [""]
    for word in title.split(", "):
        if lines[-1] and len(lines[-1]) + len(word) > 118:
            lines[-1] += ","
            lines.append(word)
        else:
            lines[-1] += (", " if lines[-1] else "") + word
    return "\n".join(lines)


def reader(folder: Path) -> Callable[[str], str]:
    """Texts of a gathered folder, by digest."""
    return lambda digest: (folder / "texts" / digest).read_text(encoding="utf-8")
