"""Reads Debian packages, without installing them: control fields, names of files, copyright file.

A package is decompressed once; what was found is kept under its digest.
"""

from __future__ import annotations

import json
import os
import posixpath
import subprocess
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..report import Refusal

# Part of the name of what is kept: raise it where `Facts` changes.
FACTS_VERSION = 1
DOC = "usr/share/doc/"
COMMON = "usr/share/common-licenses/"


@dataclass(frozen=True)
class Facts:
    """What is inside one package."""

    # Source package and its version, "openssl 3.5.1-1".
    source: str
    # Source packages whose code is linked into it, as Debian writes them: "golang-1.24 (= 1.24.4-1)".
    built_using: list[str]
    # Paths below /, folders left out.
    files: list[str]
    # Text of the copyright file; empty where it is another package's.
    copyright: str
    # Name of the package whose copyright file it is; empty where it has its own.
    copyright_of: str
    # Texts that copyright files refer to, by name; only base-files has them.
    common: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deb:
    """A package, as the lock names it."""

    name: str
    version: str
    architecture: str
    sha256: str
    facts: Facts

    @property
    def key(self) -> tuple[str, str]:
        """Name and architecture."""
        return self.name, self.architecture


def read_folder(folder: Path, kept: Path) -> list[Deb]:
    """All packages of a set; `kept` is the folder for what was read before."""
    listing = folder / "packages.lock"
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Refusal(f"{listing} cannot be read ({error.strerror}): it names the packages of a set") from error
    words = [line.split() for line in lines]
    if bad := [line for line, parts in zip(lines, words) if len(parts) != 4]:
        raise Refusal(f"{listing}: {bad[0]!r} is not package, version, architecture, SHA-256")
    kept.mkdir(parents=True, exist_ok=True)
    # The work is dpkg-deb's: threads are enough.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda parts: _read(folder, kept, *parts), words))


def _read(folder: Path, kept: Path, name: str, version: str, architecture: str, sha256: str) -> Deb:
    known = kept / f"{sha256}-{FACTS_VERSION}.json"
    if known.exists():
        facts = Facts(**json.loads(known.read_text(encoding="utf-8")))
        os.utime(known)
        return Deb(name, version, architecture, sha256, facts)
    file = folder / f"{name}_{version}_{architecture}.deb".replace(":", "%3a")
    if not file.exists():
        raise Refusal(f"{file} is not there, but {folder}/packages.lock names it")
    facts = read_deb(file, name, version)
    # Two runs may write the same; neither reads half of it.
    fresh = known.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(asdict(facts)), encoding="utf-8")
    fresh.replace(known)
    return Deb(name, version, architecture, sha256, facts)


def read_deb(file: Path, name: str, version: str) -> Facts:
    """Takes one package apart."""
    control = fields(_dpkg_deb("--field", file).decode())
    if (found := (control.get("Package"), control.get("Version"))) != (name, version):
        raise Refusal(f"{file} is {found[0]} {found[1]}, not {name} {version}")
    source, _, other = control.get("Source", name).partition(" ")
    built_using = [
        word.strip()
        for key in ("Built-Using", "Static-Built-Using")
        for word in control.get(key, "").split(",")
        if word.strip()
    ]
    files, texts, links = _contents(file, name)
    link = links.get(f"{DOC}{name}") or links.get(f"{DOC}{name}/copyright") or ""
    other_doc = link.removeprefix(DOC).split("/")[0] if link.startswith(DOC) else ""
    common = {path.removeprefix(COMMON): text for path, text in texts.items() if path.startswith(COMMON)}
    for path, target in links.items():
        if path.startswith(COMMON) and target in texts:
            common[path.removeprefix(COMMON)] = texts[target]
    return Facts(
        source=f"{source} {other.strip('()') or version}",
        built_using=sorted(set(built_using)),
        files=sorted(files),
        copyright=texts.get(f"{DOC}{name}/copyright", ""),
        copyright_of=other_doc,
        common=dict(sorted(common.items())),
    )


def fields(control: str) -> dict[str, str]:
    """The fields of a control file; lines that go on are joined by a space."""
    found: dict[str, str] = {}
    key = ""
    for line in control.splitlines():
        if line.startswith((" ", "\t")):
            found[key] += " " + line.strip()
        elif ":" in line:
            key, _, value = line.partition(":")
            found[key] = value.strip()
    return found


def _dpkg_deb(verb: str, file: Path) -> bytes:
    done = subprocess.run(["dpkg-deb", verb, str(file)], capture_output=True, check=False)
    if done.returncode:
        raise Refusal(f"{file} is not a Debian package: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _contents(file: Path, name: str) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Names of all files, texts of those wanted, targets of the links among them."""
    files: list[str] = []
    texts: dict[str, str] = {}
    links: dict[str, str] = {}
    command = ["dpkg-deb", "--fsys-tarfile", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            with tarfile.open(fileobj=child.stdout, mode="r|") as archive:
                for member in archive:
                    path = _merged(posixpath.normpath(member.name))
                    if member.isdir():
                        continue
                    files.append(path)
                    if path not in (f"{DOC}{name}", f"{DOC}{name}/copyright") and not path.startswith(COMMON):
                        continue
                    if member.issym():
                        links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
                    elif member.islnk():
                        links[path] = posixpath.normpath(member.linkname)
                    elif (content := archive.extractfile(member)) is not None:
                        texts[path] = content.read().decode(errors="replace")
        except tarfile.TarError as error:
            raise Refusal(f"{file} cannot be unpacked: {_words(child) or error}") from error
        said = _words(child)
    if child.returncode:
        raise Refusal(f"{file} cannot be unpacked: {said}")
    return files, texts, links


def _words(child: subprocess.Popen[bytes]) -> str:
    """What it said on standard error, to its end."""
    return child.stderr.read().decode(errors="replace").strip() if child.stderr else ""


def _merged(path: str) -> str:
    """Where the file lies once /bin, /lib and /sbin are links into /usr."""
    return f"usr/{path}" if path.split("/")[0] in ("bin", "lib", "sbin") else path


def copyright_text(deb: Deb, others: Iterable[Deb]) -> str:
    """The copyright file of a package, in another package where it says so."""
    by_name = {other.name: other for other in others}
    seen = {deb.name}
    while not deb.facts.copyright:
        name = deb.facts.copyright_of
        if not name:
            raise Refusal(f"{deb.name} {deb.version} has no copyright file")
        if name in seen or name not in by_name:
            raise Refusal(f"the copyright file of {deb.name} {deb.version} is that of {name}, which is in none of the sets")
        seen.add(name)
        deb = by_name[name]
    return deb.facts.copyright
