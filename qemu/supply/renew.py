"""A new lock from the archives of today.

apt resolves each set. Then every file is fetched: a candidate whose file is nowhere is passed over and apt is asked
again, until every file of every set has come and its digest is right. So a lock that is written is one that builds,
whatever the indexes promise.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from . import fetch, places
from .lock import Lock, Package
from .private_apt import PrivateApt, Record, Unresolvable, newer
from .report import Refusal, note
from .sets import Set
from .store import Store


class Incomplete(Refusal):
    """A set cannot be had whole; nothing was changed."""


@dataclass
class _Group:
    """Sets that one private apt resolves."""

    apt: PrivateApt
    sets: list[Set]
    #: Files that the old lock vouches for and no index names.
    kept: dict[tuple[str, str, str], Package] = field(default_factory=dict)
    #: What each set holds, as apt last said.
    chosen: dict[str, list[Record]] = field(default_factory=dict)
    #: What was chosen once and had no file.
    missing: set[Record] = field(default_factory=set)


@dataclass(frozen=True)
class Renewal:
    """A lock whose files of the wanted sets are all in the store."""

    lock: Lock
    #: Keys of the packages that a security archive has.
    security: frozenset[tuple[str, str, str]]


def renewed(old: Lock | None, wanted: Iterable[Set], store: Store) -> Renewal:
    """Resolves the wanted sets anew; other sets of the old lock stay as they are. The caller holds the store's lock."""
    wanted = list(wanted)
    mirror = places.mirror()
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    groups = [_open(sets, old, store, mirror) for sets in _grouped(wanted)]
    _work = _Resolving(groups)
    packages: list[Package] = []
    while _work.todo:
        if not _work.resolve() or not _work.alike():
            continue
        packages = _packages(groups, old)
        _work.pass_over(fetch.bring(packages, store, moment))
    security = {
        record.key
        for group in groups
        for names in [group.apt.in_security(sorted({record.name for found in group.chosen.values() for record in found}))]
        for found in group.chosen.values()
        for record in found
        if (record.name, record.version) in names
    }
    rest = [] if old is None else _untouched(old, {one.name for one in wanted})
    return Renewal(Lock(moment, _merged([*packages, *rest])), frozenset(security))


def _grouped(wanted: list[Set]) -> list[list[Set]]:
    groups: dict[tuple[str, tuple[str, ...]], list[Set]] = {}
    for one in wanted:
        groups.setdefault((one.arch, one.suites), []).append(one)
    return list(groups.values())


def _open(sets: list[Set], old: Lock | None, store: Store, mirror: places.Mirror) -> _Group:
    arch, suites = sets[0].arch, sets[0].suites
    group = _Group(PrivateApt(store.folder, arch, suites, mirror), sets)
    note(f"indexes of {' '.join(suites)} for {arch}")
    group.apt.update()
    if old is None:
        return group
    names = {one.name for one in sets}
    locked = [package for package in old.packages if names & set(package.sets)]
    indexed = {record.key for record in group.apt.records([package.name for package in locked], every=True)}
    kept = [package for package in locked if package.key not in indexed]
    gone = {missing.package.sha256 for missing in fetch.bring(kept, store, old.moment)}
    kept = [package for package in kept if package.sha256 not in gone]
    if kept:
        note(f"{len(kept)} locked packages for {arch} that no index names stay candidates")
        group.kept = {package.key: package for package in kept}
        group.apt.keep([(package, store.path(package)) for package in kept])
    return group


class _Resolving:
    """The sets that apt is still to be asked about, and why candidates were passed over."""

    def __init__(self, groups: list[_Group]) -> None:
        self.groups = groups
        self.todo = [(group, one) for group in groups for one in group.sets]
        self.nowhere: dict[str, fetch.Missing] = {}

    def resolve(self) -> bool:
        """Asks apt; whether it had an answer for each set."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            answers = list(pool.map(lambda item: _ask(item[0].apt, item[1]), self.todo))
        failed: list[tuple[_Group, Set]] = []
        for (group, one), answer in zip(self.todo, answers):
            if isinstance(answer, Unresolvable):
                self._widen(group, one, answer)
                failed.append((group, one))
            else:
                group.chosen[one.name] = answer
        self._again(failed)
        return not failed

    def _again(self, also: list[tuple[_Group, Set]]) -> None:
        """A set is asked about again when it failed, or holds what is passed over by now."""
        self.todo = [
            (group, one)
            for group in self.groups
            for one in group.sets
            if (group, one) in also
            or any((record.name, record.version) in group.apt.pins for record in group.chosen.get(one.name, []))
        ]

    def _widen(self, group: _Group, one: Set, why: Unresolvable) -> None:
        """apt looks at one version of each package only, and a library and its development files want each other in the
        same version: what was built with a missing file is passed over with it."""
        sources = {record.source for record in group.missing}
        pins = {
            (record.name, record.version): "built with a file that is nowhere"
            for record in group.chosen.get(one.name, [])
            if record.source in sources and (record.name, record.version) not in group.apt.pins
        }
        if not pins:
            raise self._incomplete(group, one, str(why))
        group.apt.pin(pins)

    def alike(self) -> bool:
        """Of two versions that must be one (`like`) passes over the newer, with what was built with it; whether there
        was no such pair."""
        holders = {one.name: group for group in self.groups for one in group.sets}
        for group in self.groups:
            for one in group.sets:
                if one.like not in holders:
                    continue
                other = holders[one.like]
                theirs = {record.name: record.version for record in other.chosen[one.like]}
                for record in group.chosen[one.name]:
                    version = theirs.get(record.name, record.version)
                    if version == record.version:
                        continue
                    side, version = (group, record.version) if newer(record.version, version) else (other, version)
                    note(f"{record.name} {version} for {side.apt.arch} is passed over: {one.name} and {one.like} must be alike")
                    side.apt.pin({(name, version): f"no counterpart in {one.name}" for name in _of_version(side, version)})
        self._again([])
        return not self.todo

    def pass_over(self, missing: list[fetch.Missing]) -> None:
        """Candidates without a file."""
        keys = {one.package.key for one in missing}
        for one in missing:
            self.nowhere[one.package.sha256] = one
            note(f"{one.package.name} {one.package.version} ({one.package.architecture}) is passed over: its file is nowhere")
        for group in self.groups:
            records = {record for found in group.chosen.values() for record in found if record.key in keys}
            group.missing |= records
            group.apt.pin({(record.name, record.version): "its file is nowhere" for record in records})
        self._again([])

    def _incomplete(self, group: _Group, one: Set, why: str) -> Incomplete:
        parts = [f"set {one.name} cannot be complete, so nothing is changed:", why]
        if group.apt.pins:
            parts.append(f"Passed over for {group.apt.arch}:")
            parts += [f"{name} {version}: {reason}" for (name, version), reason in sorted(group.apt.pins.items())]
        if self.nowhere:
            parts.append("Asked for the files that are nowhere:")
            parts += [str(missing) for missing in self.nowhere.values()]
        parts.append(
            "Try again when the mirror is whole, name another in COUNTERSIGN_DEBIAN_MIRROR, or correct qemu/debian.sets"
        )
        return Incomplete("\n".join(parts))


def _ask(apt: PrivateApt, one: Set) -> list[Record] | Unresolvable:
    try:
        if one.kind == "set":
            found = [f"{name}={version}" for name, version in apt.resolve(one.packages)]
        elif one.kind == "direct":
            found = [*one.packages, *(word for name in one.packages for word in apt.depends(name))]
        else:
            found = list(one.packages)
    except Unresolvable as error:
        return error
    found = [word for word in found if one.takes(word.partition("=")[0])]
    records = {record.name: record for record in reversed(apt.records(found))}
    lacking = {word.partition("=")[0] for word in found} - set(records)
    if lacking or not found:
        return Unresolvable(f"no index has a version of {' '.join(sorted(lacking)) or one.name} that can be taken")
    return list(records.values())


def _of_version(group: _Group, version: str) -> set[str]:
    return {record.name for records in group.chosen.values() for record in records if record.version == version}


def _packages(groups: list[_Group], old: Lock | None) -> list[Package]:
    """The lines of what was chosen. What the old lock already has keeps its line; what no index names any more gets the
    moment at which one did."""
    before = {} if old is None else {package.key: package for package in old.packages}
    found: list[Package] = []
    for group in groups:
        for name, records in group.chosen.items():
            for record in records:
                package = record.package((name,))
                same = before.get(package.key)
                if old is not None and (kept := group.kept.get(package.key)):
                    package = replace(kept, moment=kept.moment or old.moment, sets=(name,))
                elif same is not None and same.sha256 == package.sha256:
                    package = replace(same, moment=None, sets=(name,))
                found.append(package)
    return found


def _untouched(old: Lock, wanted: set[str]) -> list[Package]:
    """The lines of sets that are not renewed: their indexes were not looked at now."""
    return [
        replace(package, moment=package.moment or old.moment, sets=tuple(rest))
        for package in old.packages
        if (rest := [name for name in package.sets if name not in wanted])
    ]


def _merged(packages: list[Package]) -> tuple[Package, ...]:
    """One line a file, with all its sets."""
    merged: dict[tuple[str, str, str], Package] = {}
    for package in packages:
        first = merged.setdefault(package.key, package)
        if first.sha256 != package.sha256:
            raise Refusal(
                f"{package.name} {package.version} ({package.architecture}) has two digests, {first.sha256} and {package.sha256}: "
                f"one of the archives is wrong, nothing is changed. Look at what answers as the mirror"
            )
        merged[package.key] = first.in_sets((*first.sets, *package.sets))
    return tuple(merged[key] for key in sorted(merged))
