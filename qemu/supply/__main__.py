"""The verbs, for the scripts of `qemu/lib`: `PYTHONPATH=qemu python3 -m supply VERB`.

    fetch SET...             every locked file of the sets into the cache; prints one folder a set
    ensure [--renew] SET...  prints the path of a lock whose files of these sets are all in the cache
    renew [--check] [--allow-removal]
                             the program behind `qemu/lock`, which explains it
    adopt FOLDER PLACE       programs unpacked in FOLDER run with their own libraries once that lies at PLACE

Progress goes to standard error, results to standard output. Status 0: done; 1: refused, or `--check` found something
newer; 2: wrong usage, or `--check` could not find out.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

from .report import Refusal

_VERBS: dict[str, set[str]] = {
    "fetch": set(),
    "ensure": {"--renew"},
    "renew": {"--check", "--allow-removal"},
    "adopt": set(),
}


def run(verb: str, flags: set[str], names: list[str]) -> int:
    """Runs one verb; the exit status."""
    if verb == "adopt":
        from .closure import adopt

        adopt(Path(names[0]), Path(names[1]))
        return 0
    from . import verbs

    if verb == "fetch":
        verbs.fetch(names)
    elif verb == "ensure":
        verbs.ensure(names, renew="--renew" in flags)
    else:
        return verbs.renew(check_only="--check" in flags, allow_removal="--allow-removal" in flags)
    return 0


def main(arguments: list[str]) -> int:
    """Runs one verb and says what went wrong."""
    verb, options = (arguments[0] if arguments else ""), arguments[1:]
    flags = {word for word in options if word.startswith("-")}
    names = [word for word in options if not word.startswith("-")]
    if verb not in _VERBS or flags - _VERBS[verb] or (verb == "renew") == bool(names) or (verb == "adopt" and len(names) != 2):
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    try:
        return run(verb, flags, names)
    except Refusal as refusal:
        said = str(refusal)
    except OSError as error:
        said = f"{error.filename or 'a file of the cache'}: {error.strerror}"
        if error.errno == errno.ENOSPC:
            said += ". Make room there, or set COUNTERSIGN_CACHE to a folder that has it"
    except KeyboardInterrupt:
        return 130
    print(f"{'qemu/lock' if verb == 'renew' else 'supply'}: {said}", file=sys.stderr)
    return 2 if "--check" in flags else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
