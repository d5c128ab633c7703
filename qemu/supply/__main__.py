"""The verbs, for the scripts of `qemu/lib`: `PYTHONPATH=qemu python3 -m supply VERB`.

    fetch SET...             every locked file of the sets into the cache; prints one folder a set
    ensure [--renew] SET...  prints the lock whose files are all to be had
    renew [--check] [--allow-removal]
                             the program behind `qemu/lock`, which explains it
    adopt FOLDER PLACE       programs unpacked in FOLDER run with their own libraries once that lies at PLACE

Progress goes to standard error, results to standard output. `COUNTERSIGN_LOCK` names another lock.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .lock import Lock, parse
from .report import Refusal
from .sets import Set, check, read

QEMU = Path(__file__).resolve().parent.parent


def lock_path() -> Path:
    """The lock in use."""
    return Path(os.environ.get("COUNTERSIGN_LOCK") or QEMU / "debian.lock")


def sets_path() -> Path:
    """What the lock was made from."""
    return Path(os.environ.get("COUNTERSIGN_SETS") or QEMU / "debian.sets")


def load(path: Path) -> Lock:
    """Reads a lock without looking at the sets."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): qemu/lock writes it") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is not text: restore it (git checkout), or run qemu/lock") from error
    return parse(text, str(path))


def checked(path: Path) -> tuple[Lock, dict[str, Set]]:
    """Reads a lock and the sets, which must agree."""
    lock, sets = load(path), read(sets_path())
    check(lock, sets, str(path), str(sets_path()))
    return lock, sets


def known(names: list[str], sets: dict[str, Set]) -> list[str]:
    """The names, when all are sets."""
    for name in names:
        if name not in sets:
            raise Refusal(f"{name!r} is not a set of {sets_path()}: {', '.join(sets)}")
    if not names:
        raise Refusal("which sets? See the head of qemu/supply/__main__.py")
    return names


def run(arguments: list[str]) -> int:
    """Runs one verb; the exit status."""
    verb, options = (arguments[0] if arguments else ""), arguments[1:]
    flags = {word for word in options if word.startswith("-")}
    names = [word for word in options if not word.startswith("-")]
    allowed = {"fetch": set(), "ensure": {"--renew"}, "renew": {"--check", "--allow-removal"}, "adopt": set()}.get(verb)
    if allowed is None or flags - allowed or (verb == "renew" and names) or (verb == "adopt" and len(names) != 2):
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    # Each verb's modules only now: a fetch of what is there should cost nothing.
    if verb == "fetch":
        from .verbs import fetch

        fetch(names)
        return 0
    if verb == "adopt":
        from .closure import adopt

        adopt(Path(names[0]), Path(names[1]))
        return 0
    if verb == "ensure":
        from .verbs import ensure

        ensure(names, renew="--renew" in flags)
        return 0
    from .verbs import renew

    return renew(check_only="--check" in flags, allow_removal="--allow-removal" in flags)


def main() -> int:
    """Runs one verb and says what went wrong."""
    try:
        return run(sys.argv[1:])
    except Refusal as refusal:
        print(f"{os.environ.get('COUNTERSIGN_COMMAND', 'supply')}: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
