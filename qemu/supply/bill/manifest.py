"""The build manifest: digests of what was built, and of all that it was built from.

Its form is `crates/cli/schema/build-manifest.schema.json`, which `countersign schema build-manifest` prints.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..report import Refusal

# Raised when a reader of the old form would misread the new one.
FORMAT = 1
LOCK_STATES = ("committed", "renewed")
# The packages whose programs write the image's bytes.
TOOLS = (
    "binutils-s390x-linux-gnu",
    "cargo-web",
    "cpio",
    "cryptsetup-bin",
    "erofs-utils",
    "gcc-14-s390x-linux-gnu",
    "kmod",
    "libstd-rust-web-dev",
    "rustc-web",
    "xz-utils",
    "zstd",
)


@dataclass(frozen=True)
class Build:
    """What was built, and from what."""

    repository: Path
    # Name of the engine in the guest OS.
    engine: str
    # Version of the image.
    version: str
    # Date of all files in the image, seconds since 1970.
    epoch: int
    lock: Path
    lock_state: str
    # "kernel", "initramfs", "os_image", "image_json", "countersignd", "sbom", "notices" and the file.
    files: dict[str, Path]
    # False where the program was handed in instead of built.
    countersignd_built: bool
    # Folders of the sets that hold the tools.
    tools: list[Path]


def write(build: Build) -> str:
    """The manifest's text."""
    if build.lock_state not in LOCK_STATES:
        raise Refusal(f"the lock is {' or '.join(LOCK_STATES)}, not {build.lock_state!r}")
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "engine": build.engine,
        "version": build.version,
        "epoch": build.epoch,
        "source": _source(build.repository),
        "lock": {"state": build.lock_state, "sha256": _file(build.lock)["sha256"]},
        "cargo_lock": {"sha256": _file(build.repository / "Cargo.lock")["sha256"]},
        "root_hash": _root_hash(build.files["image_json"]),
        "files": {name: _file(path) for name, path in sorted(build.files.items())},
        "tools": _tools(build.tools),
    }
    manifest["files"]["countersignd"]["built"] = build.countersignd_built
    return json.dumps(manifest, indent=2) + "\n"


def _file(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): the manifest needs its digest") from error
    return {"name": path.name, "size": size, "sha256": digest.hexdigest()}


def _root_hash(image_json: Path) -> str:
    try:
        return str(json.loads(image_json.read_text(encoding="utf-8"))["root"]["root_hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{image_json} has no root hash: {error!r}; qemu/guest/build writes it") from error


def _source(repository: Path) -> dict[str, Any]:
    """The commit, and whether anything in the checkout differs from it; no commit where there is no git."""
    revision = _git(repository, "rev-parse", "HEAD")
    if revision is None:
        return {"revision": None, "dirty": None}
    changes = _git(repository, "status", "--porcelain", "--untracked-files=normal")
    return {"revision": revision, "dirty": changes != ""}


def _git(repository: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(repository), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _tools(folders: list[Path]) -> list[dict[str, str]]:
    found = {}
    for folder in folders:
        for line in (folder / "packages.lock").read_text(encoding="utf-8").splitlines():
            name, version, architecture, sha256 = line.split()
            if name in TOOLS:
                found[name, architecture] = {
                    "package": name, "version": version, "architecture": architecture, "sha256": sha256}
    if missing := sorted(set(TOOLS) - {name for name, _ in found}):
        raise Refusal(f"{', '.join(missing)}: in none of the tools' sets ({', '.join(map(str, folders))})")
    return [found[key] for key in sorted(found)]
