"""What a renewal changes, for people."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from .lock import Lock, Package

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Difference:
    """Lines that come, go, or change; one element a package and architecture."""

    #: Another version, or other contents of the same.
    changed: tuple[tuple[Package, Package], ...]
    added: tuple[Package, ...]
    lost: tuple[Package, ...]
    #: The same files, in other sets or at another place.
    moved: tuple[tuple[Package, Package], ...]
    #: Keys of what a security archive has.
    security: AbstractSet[Key]

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.lost or self.moved)

    def text(self) -> str:
        """One line a package: old version, new version, whether it is a security update."""
        lines = []
        for before, after in self.changed:
            remark = ", security update" if after.key in self.security else ""
            if before.version == after.version:
                remark += f", OTHER CONTENTS of the same version: SHA-256 {before.sha256} -> {after.sha256}"
            lines.append(f"{_who(after)}: {before.version} -> {after.version}{remark}")
        lines += [f"{_who(package)}: new, {package.version}, for {', '.join(package.sets)}" for package in self.added]
        lines += [f"{_who(package)}: lost, was {package.version}, for {', '.join(package.sets)}" for package in self.lost]
        for before, after in self.moved:
            if before.sets != after.sets:
                lines.append(f"{_who(after)} {after.version}: for {', '.join(before.sets)} -> {', '.join(after.sets)}")
            if before.place != after.place:
                lines.append(f"{_who(after)} {after.version}: in {before.place} -> {after.place}")
        return "\n".join(sorted(lines))


def _who(package: Package) -> str:
    return f"{package.name} ({package.architecture})"


def between(old: Lock | None, new: Lock, security: AbstractSet[Key] = frozenset()) -> Difference:
    """Compares two locks set by set, since a name may stand there in two versions."""
    before, after = _by_set(old), _by_set(new)
    held = {} if old is None else {package.key: package for package in old.packages}
    holds = {package.key for package in new.packages}
    changed, added, lost = {}, {}, {}
    for at, package in after.items():
        was = before.get(at)
        if was is not None and was.sha256 != package.sha256:
            changed[was.key, package.key] = (was, package)
        elif was is None and package.key not in held:
            added[package.key] = package
    replaced = {was.key for was, _ in changed.values()}
    for at, package in before.items():
        if at not in after and package.key not in holds | replaced:
            lost[package.key] = package
    arrived = {package.key for _, package in changed.values()}
    added = {key: package for key, package in added.items() if key not in arrived}
    moved = [
        (held[package.key], package)
        for package in new.packages
        if package.key in held and held[package.key].sha256 == package.sha256 and held[package.key] != package
    ]
    return Difference(tuple(changed.values()), tuple(added.values()), tuple(lost.values()), tuple(moved), security)


def _by_set(lock: Lock | None) -> dict[tuple[str, str], Package]:
    """By set and name: within a set a name stands once, whatever its architecture (`all` may become one and back)."""
    if lock is None:
        return {}
    return {(name, package.name): package for package in lock.packages for name in package.sets}
