"""The cache: files by their digest in `debs`, sets as folders of hard links in `sets`.

A file or folder there is whole or absent: both are made under another name and moved. What no run has used for
`DAYS` days is removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .lock import Package, set_digest, set_listing
from .report import note

DAYS = 14


def root() -> Path:
    """The cache folder, as `cache_root` of `qemu/lib/cache.sh` finds it."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/root"), ".cache")
    return Path(os.environ.get("COUNTERSIGN_CACHE") or os.path.join(home, "countersign"))


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Store:
    """One cache folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.debs = folder / "debs"
        self.sets = folder / "sets"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One run at a time; another waits and then finds what the first has brought."""
        self.debs.mkdir(parents=True, exist_ok=True)
        self.sets.mkdir(exist_ok=True)
        with (self.debs / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                note("waiting for another run that fetches packages")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def path(self, package: Package) -> Path:
        """Where the file is or would be."""
        return self.debs / package.sha256

    def has(self, package: Package) -> bool:
        """Whether a file of the right size is there; its digest was checked when it came."""
        try:
            return self.path(package).stat().st_size == package.size
        except FileNotFoundError:
            return False

    def fresh(self) -> Path:
        """A folder for files on their way, on the cache's file system."""
        return Path(tempfile.mkdtemp(prefix=".fresh-", dir=self.debs))

    def keep(self, package: Package, file: Path) -> str | None:
        """Moves a file in when it is the right one; else says what it is."""
        size = file.stat().st_size
        if size != package.size or digest_of(file) != package.sha256:
            with file.open("rb") as stream:
                begin = stream.read(64).lstrip()
            if begin[:1] == b"<":
                return "a web page instead of the package"
            if size != package.size:
                return f"{size} bytes instead of {package.size}"
            return f"other contents: SHA-256 {digest_of(file)} instead of {package.sha256}"
        file.chmod(0o644)
        os.replace(file, self.path(package))
        return None

    def set_folder(self, name: str, packages: list[Package]) -> Path:
        """Where the folder of a set is or would be."""
        return self.sets / f"{name}-{set_digest(packages)}"

    def use(self, package: Package) -> None:
        """A file that is used is not removed for its age."""
        os.utime(self.path(package))

    def damaged(self, packages: Iterable[Package]) -> list[Package]:
        """Removes and returns those whose file is no longer what it was when it came."""
        bad = [package for package in packages if self.has(package) and digest_of(self.path(package)) != package.sha256]
        for package in bad:
            self.path(package).unlink()
        return bad

    def make_set(self, name: str, packages: list[Package]) -> Path:
        """The folder of a set, from files that are all there."""
        target = self.set_folder(name, packages)
        fresh = Path(tempfile.mkdtemp(prefix=".fresh-", dir=self.sets))
        for package in packages:
            os.link(self.path(package), fresh / package.file_name)
        (fresh / "packages.lock").write_text(set_listing(packages), encoding="utf-8")
        fresh.chmod(0o755)
        if target.is_dir():
            # Another run has made it while this one waited.
            shutil.rmtree(fresh)
        else:
            fresh.rename(target)
        return target

    def prune(self) -> None:
        """Under the lock: removes what a failed run left, and what no run has used for long."""
        limit = time.time() - DAYS * 24 * 3600
        for fresh in (*self.debs.glob(".fresh-*"), *self.sets.glob(".fresh-*")):
            shutil.rmtree(fresh, ignore_errors=True)
        for folder in self.sets.iterdir():
            if folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
        for file in self.debs.iterdir():
            state = file.lstat()
            if state.st_nlink == 1 and state.st_mtime < limit and file.is_file() and file.name != ".lock":
                file.unlink()
