"""A new lock from the archive of today.

apt resolves each set; a candidate whose file is nowhere is passed over, with all that was built with it, and apt is
asked again, until every file of every set has come and its digest is right. So a lock that is written is one that
builds, whatever the indexes promise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from . import fetch, places
from .lock import Lock, Package
from .private_apt import PrivateApt, Record, Unresolvable
from .report import Refusal, note
from .sets import Set
from .store import Store


@dataclass
class _Group:
    """Sets that one private apt resolves."""

    apt: PrivateApt
    sets: list[Set]
    #: What each set holds, by name.
    chosen: dict[str, list[Record]] = field(default_factory=dict)
    #: What was chosen once and had no file.
    missing: set[Record] = field(default_factory=set)
    #: Files that the old lock vouches for and no index names.
    kept: dict[tuple[str, str, str], Package] = field(default_factory=dict)


class Incomplete(Refusal):
    """A set cannot be had whole; nothing was changed."""


def renewed(old: Lock | None, wanted: Iterable[Set], store: Store) -> Lock:
    """Resolves the wanted sets anew; other sets of the old lock stay as they are. The caller holds the store's lock."""
    wanted = list(wanted)
    mirror = places.mirror()
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    groups = [_open(group, old, store, mirror) for group in _grouped(wanted)]
    nowhere: dict[str, fetch.Missing] = {}
    while True:
        for group in groups:
            for one in group.sets:
                group.chosen[one.name] = _resolve(group, one, nowhere)
        if _alike(groups):
            continue
        packages = _packages(groups, old)
        missing = fetch.bring(packages, store, moment)
        if not missing:
            break
        _pass_over(groups, missing, nowhere)
    rest = [] if old is None else _untouched(old, {one.name for one in wanted})
    return Lock(moment, _merged([*packages, *rest]))


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
    indexed = {
        record.key
        for record in group.apt.records([package.name for package in locked], every=True)
    }
    kept = [package for package in locked if package.key not in indexed]
    gone = {missing.package.sha256 for missing in fetch.bring(kept, store, old.moment)}
    kept = [package for package in kept if package.sha256 not in gone]
    if kept:
        note(f"{len(kept)} locked packages for {arch} that no index names stay candidates")
        group.kept = {package.key: package for package in kept}
        group.apt.keep([(package, store.path(package)) for package in kept])
    return group


def _resolve(group: _Group, one: Set, nowhere: dict[str, fetch.Missing]) -> list[Record]:
    """What the set holds. When apt finds no way, what was built with a missing file is passed over too: apt looks at one
    version of each package only, and a library and its development files want each other in the same version."""
    while True:
        try:
            return _ask(group.apt, one)
        except Unresolvable as error:
            sources = {record.source for record in group.missing}
            pins = {
                (record.name, record.version): "built with a missing file"
                for record in group.chosen.get(one.name, [])
                if record.source in sources and (record.name, record.version) not in group.apt.pins
            }
            if not pins:
                raise _incomplete(one, str(error), nowhere) from error
            group.apt.pin(pins)


def _ask(apt: PrivateApt, one: Set) -> list[Record]:
    if one.kind == "set":
        found = [f"{name}={version}" for name, version in apt.resolve(one.packages)]
    elif one.kind == "direct":
        found = [*one.packages, *(word for name in one.packages for word in apt.depends(name))]
    else:
        found = list(one.packages)
    found = [word for word in found if one.takes(word.partition("=")[0])]
    records = {record.name: record for record in reversed(apt.records(found))}
    lacking = {word.partition("=")[0] for word in found} - set(records)
    if lacking or not found:
        raise Unresolvable(f"no index has a version of {' '.join(sorted(lacking)) or one.name} that can be taken")
    return list(records.values())


def _incomplete(one: Set, why: str, nowhere: dict[str, fetch.Missing]) -> Incomplete:
    text = f"set {one.name} cannot be complete, so nothing is changed:\n{why}"
    if nowhere:
        listing = "\n".join(str(missing) for missing in nowhere.values())
        text += f"\nPassed over, since their files are nowhere:\n{listing}"
    return Incomplete(
        f"{text}\nTry again when the mirror is whole, name another in COUNTERSIGN_DEBIAN_MIRROR, or correct qemu/debian.sets"
    )


def _alike(groups: list[_Group]) -> bool:
    """Passes over the newer of two versions that must be one (`like`); whether there was such a pair."""
    chosen = {name: (group, records) for group in groups for name, records in group.chosen.items()}
    again = False
    for group in groups:
        for one in group.sets:
            if one.like is None or one.like not in chosen:
                continue
            other, records = chosen[one.like]
            for mine in group.chosen[one.name]:
                theirs = next((record for record in records if record.name == mine.name), None)
                if theirs is None or theirs.version == mine.version:
                    continue
                newer = _newer(mine.version, theirs.version)
                side, version = (group, mine.version) if newer else (other, theirs.version)
                note(f"{mine.name} {version} for {side.apt.arch} is passed over: {one.name} and {one.like} must be alike")
                side.apt.pin({(name, version): "not alike" for name in _of_version(side, version)})
                again = True
    return again


def _of_version(group: _Group, version: str) -> set[str]:
    return {record.name for records in group.chosen.values() for record in records if record.version == version}


def _newer(one: str, other: str) -> bool:
    import subprocess

    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0


def _packages(groups: list[_Group], old: Lock | None) -> list[Package]:
    """The lines of what was chosen. What an index still names as the old lock has it keeps its line."""
    before = {} if old is None else {package.key: package for package in old.packages}
    found: list[Package] = []
    for group in groups:
        for name, records in group.chosen.items():
            for record in records:
                package = record.package((name,))
                same = before.get(package.key)
                if package.key in group.kept and old is not None:
                    kept = group.kept[package.key]
                    package = replace(kept, moment=kept.moment or old.moment, sets=(name,))
                elif same is not None and same.sha256 == package.sha256:
                    package = replace(same, moment=None, sets=(name,))
                found.append(package)
    return found


def _pass_over(groups: list[_Group], missing: list[fetch.Missing], nowhere: dict[str, fetch.Missing]) -> None:
    for one in missing:
        nowhere[one.package.sha256] = one
        note(f"{one.package.name} {one.package.version} ({one.package.architecture}) is passed over: its file is nowhere")
    keys = {one.package.key for one in missing}
    for group in groups:
        records = {record for found in group.chosen.values() for record in found if record.key in keys}
        group.missing |= records
        group.apt.pin({(record.name, record.version): "its file is nowhere" for record in records})


def _untouched(old: Lock, wanted: set[str]) -> list[Package]:
    return [
        package.in_sets(tuple(rest)) for package in old.packages if (rest := [name for name in package.sets if name not in wanted])
    ]


def _merged(packages: list[Package]) -> tuple[Package, ...]:
    """One line a file, with all its sets."""
    merged: dict[tuple[str, str, str], Package] = {}
    for package in packages:
        first = merged.setdefault(package.key, package)
        if first.sha256 != package.sha256:
            raise Refusal(
                f"{package.name} {package.version} ({package.architecture}) has two digests, {first.sha256} and {package.sha256}: "
                f"one of the archives is wrong, nothing is changed"
            )
        merged[package.key] = first.in_sets(tuple({*first.sets, *package.sets}))
    return tuple(merged[key] for key in sorted(merged))
