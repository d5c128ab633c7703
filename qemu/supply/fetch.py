"""Brings locked files into the cache, several side by side, from wherever their digest can be had."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock as Guard

from . import places, transport
from .lock import Package
from .report import Progress, Refusal, human_size, note
from .store import Store

#: Files on their way at a time.
SIDE_BY_SIDE = 16
#: So often in a row a site may fail to answer before it is not asked any more in this run.
PATIENCE = 4


@dataclass
class Missing:
    """A file that is nowhere, with what each place said."""

    package: Package
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        one = self.package
        lines = [f"{one.name} {one.version} ({one.architecture}), SHA-256 {one.sha256}"]
        return "\n".join(lines + [f"  {place}: {answer}" for place, answer in self.asked])


class _Sites:
    """Which sites still answer. One that is dead would else cost its time-out for each of some hundred files."""

    def __init__(self) -> None:
        self.guard = Guard()
        self.failures: dict[str, int] = {}

    def answered(self, site: str) -> None:
        with self.guard:
            self.failures[site] = 0

    def failed(self, site: str) -> None:
        with self.guard:
            self.failures[site] = self.failures.get(site, 0) + 1

    def given_up(self, site: str) -> bool:
        with self.guard:
            return self.failures.get(site, 0) >= PATIENCE


def bring(packages: Iterable[Package], store: Store, moment: str) -> list[Missing]:
    """Makes the files present in the store; returns those that are nowhere. The caller holds the store's lock."""
    wanted = {package.sha256: package for package in packages}
    absent = [package for package in wanted.values() if not store.has(package)]
    for package in wanted.values():
        if package not in absent:
            store.use(package)
    if not absent:
        return []
    size = sum(package.size for package in absent)
    if size > shutil.disk_usage(store.debs).free:
        raise _no_space(store, size)
    nowhere = {package.sha256: Missing(package, [(f"cache {store.debs}", "not there")]) for package in absent}
    fresh = store.fresh()
    try:
        for folder in places.folders():
            for missing in list(nowhere.values()):
                if (answer := _from_folder(folder, missing.package, store, fresh)) is None:
                    del nowhere[missing.package.sha256]
                else:
                    missing.asked.append((f"folder {folder}", answer))
        if nowhere:
            _download(nowhere, store, moment, fresh)
    except transport.NoSpace:
        raise _no_space(store, sum(missing.package.size for missing in nowhere.values())) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    store.prune()
    return list(nowhere.values())


def _no_space(store: Store, size: int) -> Refusal:
    free = shutil.disk_usage(store.debs).free
    return Refusal(
        f"no space in {store.folder}: packages of {human_size(size)} are to be fetched, {human_size(free)} are free. "
        f"Make room there, or set COUNTERSIGN_CACHE to a folder that has it"
    )


def _from_folder(folder: Path, package: Package, store: Store, fresh: Path) -> str | None:
    found = places.in_folder(folder, package)
    if found is None:
        return "not there"
    copy = fresh / package.sha256
    try:
        shutil.copyfile(found, copy)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise transport.NoSpace from None
        return error.strerror or str(error)
    return store.keep(package, copy)


def _download(nowhere: dict[str, Missing], store: Store, moment: str, fresh: Path) -> None:
    """Removes from `nowhere` what comes."""
    mirror = places.mirror()
    # The largest first: the last one to come would else be waited for alone.
    missing = sorted(nowhere.values(), key=lambda one: -one.package.size)
    size = sum(one.package.size for one in missing)
    note(f"fetching {len(missing)} packages, {human_size(size)}")
    progress = Progress("fetched", len(missing), size)
    work = partial(_one, mirror=mirror, moment=moment, store=store, fresh=fresh, sites=_Sites())
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        for future in as_completed([pool.submit(work, one) for one in missing]):
            if (package := future.result()) is not None:
                del nowhere[package.sha256]
                progress.add(package.size)
    finally:
        pool.shutdown(cancel_futures=True)
        progress.end()


def _one(
    missing: Missing, *, mirror: places.Mirror, moment: str, store: Store, fresh: Path, sites: _Sites
) -> Package | None:
    package = missing.package
    for place in mirror.places(package, moment):
        if sites.given_up(place.site):
            missing.asked.append((f"{place.label} {place.address}", "not asked: the site had not answered before"))
            continue
        target = fresh / package.sha256
        target.unlink(missing_ok=True)
        try:
            transport.get(place.address, target)
            answer = store.keep(package, target)
            sites.answered(place.site)
        except transport.NotThere as error:
            answer = str(error)
            sites.answered(place.site)
        except transport.Failed as error:
            came = target.stat().st_size if target.is_file() else 0
            if re.match("[0-9]{3} ", str(error)):
                answer = str(error)
            elif came:
                answer = f"broke off after {came} of {package.size} bytes: {error}"
            else:
                answer = f"no answer: {error}"
            sites.failed(place.site)
        if answer is None:
            return package
        missing.asked.append((f"{place.label} {place.address}", answer))
    return None


def refusal(nowhere: list[Missing], lock: str) -> Refusal:
    """Names every file that is missing and every place that was asked."""
    count = f"{len(nowhere)} packages of {lock} are" if len(nowhere) > 1 else f"a package of {lock} is"
    listing = "\n".join(str(missing) for missing in nowhere)
    return Refusal(
        f"{count} nowhere to be had:\n{listing}\n"
        f"Renew the lock with qemu/lock; or put the files into a folder and name it in COUNTERSIGN_DEBS; "
        f"or name an archive of past states in COUNTERSIGN_DEBIAN_SNAPSHOT"
    )
