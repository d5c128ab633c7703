"""The three verbs, each from the lock to its result.

Modules that only an absent file needs are imported where it is absent: a fetch of what is there costs next to nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .inputs import checked, load, lock_path, read_sets, sets_path
from .lock import Lock
from .report import Refusal, human_size, note
from .sets import check
from .store import Store, root

if TYPE_CHECKING:
    from .fetch import Missing


def fetch(names: list[str]) -> None:
    """Prints the folder of each set, with all its files."""
    lock, _ = checked(names)
    store = Store(root())
    contents = {name: lock.of_set(name) for name in names}
    folders = {name: store.set_folder(name, contents[name]) for name in names}
    absent = [name for name in contents if not folders[name].is_dir()]
    if absent:
        with store.exclusive():
            for package in store.damaged(package for name in absent for package in contents[name]):
                note(f"{package.name} {package.version} was damaged in the cache and is fetched again")
            _all_or_refuse(lock, absent, store)
            for name in absent:
                store.make_set(name, contents[name])
                note(f"{name}: {len(contents[name])} packages, {human_size(sum(one.size for one in contents[name]))}")
    for name in names:
        os.utime(folders[name])
        print(folders[name])


def ensure(names: list[str], *, renew: bool) -> None:
    """Prints the path of a lock whose files of these sets are all in the cache."""
    lock, _ = checked(names)
    store = Store(root())
    if all(store.has(package) for name in names for package in lock.of_set(name)):
        print(lock_path())
        return
    with store.exclusive():
        if not renew:
            _all_or_refuse(lock, names, store)
            print(lock_path())
        elif nowhere := _bring(lock, names, store):
            print(_renewed_in_cache(lock, names, store, nowhere))
        else:
            print(lock_path())


def _bring(lock: Lock, names: list[str], store: Store) -> list[Missing]:
    from .fetch import bring

    return bring([package for name in names for package in lock.of_set(name)], store, lock.moment)


def _all_or_refuse(lock: Lock, names: list[str], store: Store) -> None:
    from .fetch import refusal

    if nowhere := _bring(lock, names, store):
        raise refusal(nowhere, lock_path().name)


def _renewed_in_cache(lock: Lock, names: list[str], store: Store, nowhere: list[Missing]) -> Path:
    """The path of a lock in the cache. It serves for some days: each new one may have other packages, and all that is
    made of them would be built anew."""
    from .difference import between
    from .renew import renewed

    note(f"{lock_path().name} names {len(nowhere)} packages that are nowhere to be had; it is renewed for this run")
    for missing in nowhere:
        note(str(missing))
    folder = store.folder / "locks"
    folder.mkdir(exist_ok=True)
    inputs = "\n".join([lock.text(), sets_path().read_text(encoding="utf-8"), *sorted(names)])
    target = folder / f"{hashlib.sha256(inputs.encode()).hexdigest()[:24]}.lock"
    days = float(os.environ.get("COUNTERSIGN_DEBIAN_DAYS", "7"))
    if target.is_file() and target.stat().st_mtime > time.time() - days * 24 * 3600:
        earlier = load(target)
        if not _bring(earlier, names, store):
            note(f"the lock that was renewed at {earlier.moment} still serves")
            return target
    sets = read_sets()
    renewal = renewed(lock, [sets[name] for name in dict.fromkeys(names)], store)
    note(between(lock, renewal.lock, renewal.security).text())
    _write(target, renewal.lock)
    return target


def renew(*, check_only: bool, allow_removal: bool) -> int:
    """Behind `qemu/lock`: writes the lock anew, or says what would change. The exit status."""
    from .difference import between
    from .renew import renewed

    path, sets = lock_path(), read_sets()
    old = load(path) if path.is_file() else None
    store = Store(root())
    with store.exclusive():
        renewal = renewed(old, sets.values(), store)
    new = renewal.lock
    check(new, sets, str(path), str(sets_path()))
    difference = between(old, new, renewal.security)
    if not difference:
        note(f"{path.name} is as new as it can be: {len(new.packages)} packages")
        return 0
    print(difference.text(), flush=True)
    count = f"{len(difference.changed)} changed, {len(difference.added)} new, {len(difference.lost)} lost"
    if check_only:
        note(f"{path.name} can be renewed: {count}")
        return 1
    if difference.lost and not allow_removal:
        listing = ", ".join(f"{package.name} ({package.architecture})" for package in difference.lost)
        raise Refusal(
            f"the new lock would no longer have {listing}, so nothing is changed. "
            f"If nothing needs that any more, say --allow-removal"
        )
    _write(path, new)
    note(f"{path}: {count}; {len(new.packages)} packages, {human_size(sum(package.size for package in new.packages))}")
    return 0


def _write(path: Path, lock: Lock) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(lock.text(), encoding="utf-8")
    os.replace(fresh, path)
