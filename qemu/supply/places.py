"""Where a locked file is looked for, in this order: the cache (see `store`), the folders of `COUNTERSIGN_DEBS`, the pools
of the machine's own mirror, the archive of past states.

A place vouches for nothing: the digest of the lock decides.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .lock import Package
from .report import Refusal

_DEBOOTSTRAP = Path("/usr/sbin/debootstrap")


@dataclass(frozen=True)
class Place:
    """One address of one file."""

    #: For people: `main archive`, `security archive`, `archive of past states`.
    label: str
    #: What stops answering as a whole.
    site: str
    address: str


@dataclass(frozen=True)
class Mirror:
    """Roots of the machine's own mirror, without a slash at the end."""

    main: tuple[str, ...]
    security: tuple[str, ...]
    snapshot: str | None

    def places(self, package: Package, moment: str) -> list[Place]:
        """Every address at which the file may lie; the likeliest first."""
        found: list[Place] = []
        # The security archive hands its files on to the main one at the next point release, and an index may
        # name a file in one of both that only the other has: both are asked.
        other = {"main": "security", "security": "main"}[package.archive]
        for archive, path in ((package.archive, package.path), (other, _moved(package.path, other))):
            for root in self.main if archive == "main" else self.security:
                found.append(Place(f"{archive} archive", root, f"{root}/{path}"))
        if self.snapshot:
            name = {"main": "debian", "security": "debian-security"}[package.archive]
            root = f"{self.snapshot}/{name}/{package.moment or moment}"
            found.append(Place("archive of past states", self.snapshot, f"{root}/{package.path}"))
        return found


def _moved(path: str, archive: str) -> str:
    if archive == "security":
        return path.replace("pool/", "pool/updates/", 1)
    return path.replace("pool/updates/", "pool/", 1)


def folders() -> list[Path]:
    """The folders of `COUNTERSIGN_DEBS`, a colon between."""
    return [Path(word) for word in os.environ.get("COUNTERSIGN_DEBS", "").split(":") if word]


def in_folder(folder: Path, package: Package) -> Path | None:
    """The file of that name in a folder, as apt or as the archive names it."""
    for name in dict.fromkeys((package.file_name, package.path.rsplit("/", 1)[1])):
        if (folder / name).is_file():
            return folder / name
    return None


def _apt_sites() -> list[tuple[str, str]]:
    """(label, root) of each archive of Debian that the machine's own apt uses; nothing of third parties."""
    try:
        answer = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)", "Created-By: Packages"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return []
    lines = [line.split("|") for line in answer.stdout.splitlines()]
    return [
        (line[1], line[2].rstrip("/"))
        for line in lines
        if len(line) == 3 and line[0] == "Debian" and not line[2].startswith("cdrom:")
    ]


def mirror() -> Mirror:
    """The mirror that the machine's apt uses, else what the environment names, else what debootstrap carries."""
    told_main, told_security = (
        os.environ.get(f"COUNTERSIGN_DEBIAN_{name}", "").rstrip("/") for name in ("MIRROR", "SECURITY")
    )
    sites = [] if told_main else _apt_sites()
    main = [site for label, site in sites if label != "Debian-Security"]
    security = [site for label, site in sites if label == "Debian-Security"]
    if told_main:
        main = [told_main]
    if not main and _DEBOOTSTRAP.is_file():
        match = re.search(r'^DEF_MIRROR="(.*)"$', _DEBOOTSTRAP.read_text(encoding="utf-8"), re.MULTILINE)
        main = [match[1].rstrip("/")] if match else []
    snapshot = os.environ.get("COUNTERSIGN_DEBIAN_SNAPSHOT", "").rstrip("/")
    if not main and not snapshot:
        raise Refusal("no Debian archive known: install debootstrap or set COUNTERSIGN_DEBIAN_MIRROR")
    if told_security:
        security = [told_security]
    elif not security:
        # Mirrors keep the security archive beside the main one.
        security = [f"{site}-security" for site in main if site.endswith("/debian")]
    return Mirror(tuple(dict.fromkeys(main)), tuple(dict.fromkeys(security)), snapshot or None)
