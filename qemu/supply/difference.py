"""What a renewal changes, for people."""

from __future__ import annotations

from dataclasses import dataclass

from .lock import Lock, Package


@dataclass(frozen=True)
class Difference:
    """Lines that come, go, or change; one element a package and architecture."""

    changed: tuple[tuple[Package, Package], ...]
    added: tuple[Package, ...]
    lost: tuple[Package, ...]
    #: The same files, in other sets or found elsewhere.
    moved: tuple[tuple[Package, Package], ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.lost or self.moved)

    def text(self) -> str:
        """One line a package: old version, new version, whether the security archive has it."""
        lines = []
        for before, after in self.changed:
            security = "  security update" if after.archive == "security" else ""
            other = "  other contents of the same version" if before.version == after.version else ""
            lines.append(f"{_who(after)}: {before.version} -> {after.version}{security}{other}")
        lines += [f"{_who(package)}: new, {package.version} (sets {', '.join(package.sets)})" for package in self.added]
        lines += [f"{_who(package)}: lost, was {package.version} (sets {', '.join(package.sets)})" for package in self.lost]
        for before, after in self.moved:
            if before.sets != after.sets:
                lines.append(f"{_who(after)}: {after.version}, sets {', '.join(before.sets)} -> {', '.join(after.sets)}")
        return "\n".join(sorted(lines))


def _who(package: Package) -> str:
    return f"{package.name} ({package.architecture})"


def between(old: Lock | None, new: Lock) -> Difference:
    """Compares two locks set by set, since a name may stand there in two versions."""
    before, after = _by_place(old), _by_place(new)
    changed, added, lost, moved = {}, {}, {}, {}
    for place, package in after.items():
        was = before.get(place)
        if was is None:
            if old is None or package.key not in {one.key for one in old.packages}:
                added[package.key] = package
        elif was.sha256 != package.sha256 or was.version != package.version:
            changed[(was.key, package.key)] = (was, package)
    kept = {package.key for package in new.packages}
    names = {place[1:] for place in after}
    for place, package in before.items():
        if place not in after and package.key not in kept and place[1:] not in names:
            lost[package.key] = package
    held = {} if old is None else {package.key: package for package in old.packages}
    for package in new.packages:
        was = held.get(package.key)
        if was is not None and was.sha256 == package.sha256 and was != package:
            moved[package.key] = (was, package)
    return Difference(tuple(changed.values()), tuple(added.values()), tuple(lost.values()), tuple(moved.values()))


def _by_place(lock: Lock | None) -> dict[tuple[str, str, str], Package]:
    """By (set, architecture, name)."""
    if lock is None:
        return {}
    return {(name, package.architecture, package.name): package for package in lock.packages for name in package.sets}
