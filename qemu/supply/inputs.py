"""The two files that everything starts from: `qemu/debian.lock` and `qemu/debian.sets`."""

from __future__ import annotations

import os
from pathlib import Path

from .lock import Lock, parse
from .report import Refusal
from .sets import Set, check, read

_QEMU = Path(__file__).resolve().parent.parent


def lock_path() -> Path:
    """The lock in use."""
    return Path(os.environ.get("COUNTERSIGN_LOCK") or _QEMU / "debian.lock")


def sets_path() -> Path:
    """What the lock is made from; another one in tests."""
    return Path(os.environ.get("COUNTERSIGN_SETS") or _QEMU / "debian.sets")


def load(path: Path) -> Lock:
    """Reads a lock without looking at the sets."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): qemu/lock writes it") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is not text: restore the file (git checkout), then qemu/lock renews it") from error
    return parse(text, str(path))


def read_sets() -> dict[str, Set]:
    """All sets by name."""
    return read(sets_path())


def checked(names: list[str]) -> tuple[Lock, dict[str, Set]]:
    """The lock in use and the sets, which must agree and have these names."""
    lock, sets = load(lock_path()), read_sets()
    check(lock, sets, str(lock_path()), str(sets_path()))
    for name in names:
        if name not in sets:
            raise Refusal(f"{name!r} is not a set of {sets_path()}: {', '.join(sets)}")
    return lock, sets
