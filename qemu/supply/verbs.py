"""The three verbs, each from the lock to its result."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from . import fetch as fetching
from .__main__ import checked, known, load, lock_path, sets_path
from .lock import Lock
from .report import Refusal, human_size, note
from .sets import check, read
from .store import Store, root


def fetch(names: list[str]) -> None:
    """Prints the folder of each set, with all its files."""
    lock, sets = checked(lock_path())
    known(names, sets)
    store = Store(root())
    contents = {name: lock.of_set(name) for name in names}
    folders = {name: store.set_folder(name, contents[name]) for name in names}
    absent = [name for name in contents if not folders[name].is_dir()]
    if absent:
        with store.exclusive("packages"):
            packages = [package for name in absent for package in contents[name]]
            for package in store.damaged(packages):
                note(f"{package.name} {package.version} was damaged in the cache and is fetched again")
            if nowhere := fetching.bring(packages, store, lock.moment):
                raise fetching.refusal(nowhere, absent)
            for name in absent:
                store.make_set(name, contents[name])
                note(f"{name}: {len(contents[name])} packages, {human_size(sum(one.size for one in contents[name]))}")
    for name in names:
        os.utime(folders[name])
        print(folders[name])


def ensure(names: list[str], *, renew: bool) -> None:
    """Prints the path of a lock whose files of these sets are all in the cache."""
    path = lock_path()
    lock, sets = checked(path)
    known(names, sets)
    store = Store(root())
    if _whole(lock, names, store):
        print(path)
        return
    with store.exclusive("packages"):
        nowhere = _bring(lock, names, store)
        if not nowhere:
            print(path)
            return
        if not renew:
            raise fetching.refusal(nowhere, names)
        print(_renewed_in_cache(path, lock, names, store, nowhere))


def _whole(lock: Lock, names: list[str], store: Store) -> bool:
    return all(store.has(package) for name in names for package in lock.of_set(name))


def _bring(lock: Lock, names: list[str], store: Store) -> list[fetching.Missing]:
    return fetching.bring([package for name in names for package in lock.of_set(name)], store, lock.moment)


def _renewed_in_cache(
    path: Path, lock: Lock, names: list[str], store: Store, nowhere: list[fetching.Missing]
) -> Path:
    from .difference import between
    from .renew import renewed

    note(f"{len(nowhere)} files of {path.name} are nowhere to be had; it is renewed for this run:")
    for missing in nowhere:
        note(str(missing))
    sets = read(sets_path())
    folder = store.folder / "locks"
    folder.mkdir(exist_ok=True)
    # The same answer for some days: another run should not build everything again for every package that changed.
    key = hashlib.sha256("\n".join([lock.text(), sets_path().read_text("utf-8"), *sorted(names)]).encode()).hexdigest()[:24]
    target = folder / f"{key}.lock"
    days = float(os.environ.get("COUNTERSIGN_DEBIAN_DAYS", "7"))
    if target.is_file() and target.stat().st_mtime > time.time() - days * 24 * 3600:
        earlier = load(target)
        if not _bring(earlier, names, store):
            note(f"the lock that was renewed on {earlier.moment[:8]} still serves")
            return target
    new = renewed(lock, [sets[name] for name in dict.fromkeys(names)], store)
    note(between(lock, new).text())
    _write(target, new)
    return target


def renew(*, check_only: bool, allow_removal: bool) -> int:
    """Behind `qemu/lock`: writes the lock anew, or says what would change."""
    from .difference import between
    from .renew import renewed

    path, sets = lock_path(), read(sets_path())
    old = load(path) if path.is_file() else None
    store = Store(root())
    with store.exclusive("packages"):
        new = renewed(old, sets.values(), store)
    check(new, sets, str(path), str(sets_path()))
    difference = between(old, new)
    if not difference:
        note(f"{path.name} is as new as it can be: {len(new.packages)} packages")
        return 0
    if text := difference.text():
        print(text)
    if check_only:
        note(f"{path.name} can be renewed: {len(difference.changed)} changed, {len(difference.added)} new, {len(difference.lost)} lost")
        return 1
    if difference.lost and not allow_removal:
        listing = ", ".join(f"{package.name} ({package.architecture})" for package in difference.lost)
        raise Refusal(
            f"the new lock would no longer have {listing}: nothing is changed. "
            f"If nothing needs that any more, say --allow-removal"
        )
    _write(path, new)
    note(f"{path}: {len(new.packages)} packages, {human_size(sum(package.size for package in new.packages))}")
    return 0


def _write(path: Path, lock: Lock) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(lock.text(), encoding="utf-8")
    os.replace(fresh, path)
