"""What is read of crates."""

from supply.bill import crates
from supply.report import Refusal

from .bill_support import REPOSITORY, InFolder, cargo, cargo_lock, crate, metadata

LINKED = "countersign-agent v0.1.0 (/somewhere/crates/agent)\nplain v1.0.0\nplain v1.0.0 (*)\n"
BUILT = LINKED + "macro v2.0.0+spec-1 (proc-macro)\n"


class Crates(InFolder):
    """Small answers of cargo, and the real ones."""

    def packages(self, **changes: object) -> list[dict[str, object]]:
        """Our own crate, one that is linked, a macro, and one that is for another machine."""
        plain = crate(self.folder, "plain", "1.0.0", "MIT/Apache-2.0",
                      {"LICENSE-MIT": "mit", "COPYING": "copying", "LICENSES/Zlib": "zlib", "license.rs": "code", "README": "no"})
        plain.update(changes)
        return [crate(self.folder, "countersign-agent", "0.1.0", "Apache-2.0", {}, None), plain,
                crate(self.folder, "macro", "2.0.0+spec-1", "ISC", {}), crate(self.folder, "windows", "3.0.0", "MIT", {})]

    def test_linked_and_built(self) -> None:
        """Names, licences, texts, digests; our own are left out."""
        packages = self.packages()
        plain, macro = sorted(crates.read(metadata(*packages), cargo_lock(*packages), LINKED, BUILT),
                              key=lambda found: found.linked, reverse=True)
        self.assertEqual((plain.key, plain.licence, plain.linked), (("plain", "1.0.0"), "MIT OR Apache-2.0", True))
        self.assertEqual(plain.texts, (("COPYING", "copying"), ("LICENSE-MIT", "mit"), ("LICENSES/Zlib", "zlib")))
        self.assertEqual((macro.key, macro.licence, macro.linked, macro.texts), (("macro", "2.0.0+spec-1"), "ISC", False, ()))
        self.assertEqual(len({plain.sha256, macro.sha256}), 2)

    def test_of_another_origin(self) -> None:
        """A git repository has no digest, and nobody can name it by a purl."""
        packages = self.packages(source="git+https://example.org/plain#1")
        with self.assertRaisesRegex(Refusal, "^plain 1.0.0 is not from crates.io: its origin is git"):
            crates.read(metadata(*packages), cargo_lock(*packages), LINKED, BUILT)

    def test_without_any_licence(self) -> None:
        """Neither named nor as a file."""
        packages = self.packages(name="plain", license=None)
        for path in (self.folder / "plain-1.0.0").glob("[CL]*"):
            path.rename(path.with_name("x" + path.name))
        with self.assertRaisesRegex(Refusal, "^plain 1.0.0 names no licence and has no licence file$"):
            crates.read(metadata(*packages), cargo_lock(*packages), LINKED, BUILT)

    def test_tree_and_metadata_disagree(self) -> None:
        """Two answers of different days."""
        packages = self.packages()
        with self.assertRaisesRegex(Refusal, "^cargo metadata does not know other 9.0.0, which cargo tree names$"):
            crates.read(metadata(*packages), cargo_lock(*packages), LINKED + "other v9.0.0\n", BUILT)

    def test_the_real_ones(self) -> None:
        """Against a walk through the graph of cargo metadata, which knows the same crates or more, never fewer."""
        answer = cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", "s390x-unknown-linux-gnu")
        tree = ("tree", "--locked", "--package", "countersign-agent", "--target", "s390x-unknown-linux-gnu", "--prefix", "none")
        built = cargo(*tree, "--edges", "no-dev")
        linked = cargo(*tree, "--edges", "no-dev,no-build,no-proc-macro")
        lock = (REPOSITORY / "Cargo.lock").read_text(encoding="utf-8")
        found = crates.read(answer, lock, linked, built)
        inside = {one.key for one in found if one.linked}
        walked = reachable(answer, "countersign-agent")
        self.assertLessEqual(inside, walked)
        # Features that other members of the workspace turn on bring a few more.
        self.assertLessEqual(len(walked - inside), 3, walked - inside)
        for one in found:
            self.assertRegex(one.sha256, "^[0-9a-f]{64}$")
            self.assertIn(f'name = "{one.name}"\nversion = "{one.version}"', lock)
        self.assertTrue({"openssl", "libc", "serde_json"} <= {name for name, _ in inside})
        self.assertNotIn("serde_derive", {name for name, _ in inside})


def reachable(answer: str, root: str) -> set[tuple[str, str]]:
    """Crates of crates.io that the graph reaches over normal dependencies, macros left out."""
    import json

    whole = json.loads(answer)
    packages = {package["id"]: package for package in whole["packages"]}
    nodes = {node["id"]: node for node in whole["resolve"]["nodes"]}
    waiting = [package["id"] for package in packages.values() if package["name"] == root]
    seen = set()
    while waiting:
        one = waiting.pop()
        if one in seen or any("proc-macro" in target["kind"] for target in packages[one]["targets"]):
            continue
        seen.add(one)
        waiting += [dep["pkg"] for dep in nodes[one]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    return {(packages[one]["name"], packages[one]["version"]) for one in seen if packages[one]["source"]}
