"""Packages, crates and schemas for the tests of `supply.bill`."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]

REPOSITORY = Path(__file__).resolve().parents[3]
DEP5 = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"


class InFolder(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self) -> None:
        """Makes the folder; it goes with the test."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


def deb(folder: Path, name: str, version: str = "1.0-1", *, architecture: str = "s390x", fields: str = "",
        files: dict[str, str] | None = None, links: dict[str, str] | None = None) -> Path:
    """A package that dpkg-deb makes: `files` by path and text, `links` by path and target."""
    tree = folder / f".tree-{name}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: Nobody <nobody@example.org>\n"
        f"{fields}Description: for a test\n", encoding="utf-8")
    for path, text in (files or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text, encoding="utf-8")
    for path, target in (links or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    file = folder / f"{name}_{version}_{architecture}.deb".replace(":", "%3a")
    # No compression: the tests make many.
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(file)], check=True,
                   capture_output=True)
    subprocess.run(["rm", "-r", str(tree)], check=True)
    return file


def listing(folder: Path) -> Path:
    """Writes the `packages.lock` of a set's folder."""
    lines = []
    for file in folder.glob("*.deb"):
        name, version, architecture = file.name.removesuffix(".deb").replace("%3a", ":").split("_")
        lines.append(f"{name} {version} {architecture} {hashlib.sha256(file.read_bytes()).hexdigest()}\n")
    (folder / "packages.lock").write_text("".join(sorted(lines)), encoding="utf-8")
    return folder


def doc(name: str, licence: str, text: str = "") -> dict[str, str]:
    """A machine-readable copyright file at its place."""
    return {f"usr/share/doc/{name}/copyright": f"{DEP5}Files: *\nCopyright: somebody\nLicense: {licence}\n {text or licence}\n"}


def crate(folder: Path, name: str, version: str, licence: str, files: dict[str, str], source: str | None = "") -> dict[str, Any]:
    """A package of `cargo metadata`, with its folder."""
    home = folder / f"{name}-{version}"
    home.mkdir(parents=True)
    for path, text in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8")
    return {"name": name, "version": version, "license": licence, "license_file": None,
            "source": "registry+https://github.com/rust-lang/crates.io-index" if source == "" else source,
            "manifest_path": str(home / "Cargo.toml")}


def metadata(*packages: dict[str, Any]) -> str:
    """The output of `cargo metadata`."""
    return json.dumps({"packages": packages})


def cargo_lock(*packages: dict[str, Any]) -> str:
    """A Cargo.lock with digests that tell the crates apart."""
    blocks = []
    for package in packages:
        digest = hashlib.sha256(package["name"].encode()).hexdigest()
        blocks.append(f'[[package]]\nname = "{package["name"]}"\nversion = "{package["version"]}"\n'
                      + (f'checksum = "{digest}"\n' if package["source"] else ""))
    return "version = 4\n\n" + "\n".join(blocks)


def cyclonedx_validator() -> Any:
    """Judges a bill of materials by the published schema, which the library's package carries."""
    import cyclonedx.schema

    folder = Path(next(iter(cyclonedx.schema.__path__))) / "_res"
    whole = json.loads((folder / "bom-1.6.SNAPSHOT.schema.json").read_text(encoding="utf-8"))
    base = whole["$id"].rsplit("/", 1)[0]
    # It refers to two more; put inside, nothing is looked for on the network.
    for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json"):
        other = json.loads((folder / name).read_text(encoding="utf-8"))
        other["$id"] = f"{base}/{name}"
        whole["definitions"][name] = other
    return jsonschema.Draft7Validator(whole)


def manifest_validator() -> Any:
    """Judges a build manifest by what `countersign schema build-manifest` prints."""
    path = REPOSITORY / "crates/cli/schema/build-manifest.schema.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def cargo(*words: str) -> str:
    """What the machine's cargo prints; `CARGO` names another."""
    return subprocess.run([os.environ.get("CARGO", "cargo"), *words], cwd=REPOSITORY, check=True, capture_output=True,
                          text=True).stdout
