"""The lock's form, and that it and the sets speak of the same things."""

from __future__ import annotations

import unittest
from pathlib import Path

from supply.lock import Lock, parse, set_digest
from supply.report import Refusal
from supply.sets import Set, check, read

SHA = "0123456789abcdef" * 4
HEAD = "# comment\nformat 1\nsnapshot 20260102T030405Z\n"
ALPHA = f"alpha 1:1.0-1 amd64 main pool/main/a/alpha/alpha_1.0-1_amd64.deb 1234 {SHA} one,two\n"
BETA = f"beta 2 s390x security@20251231T235959Z pool/updates/main/b/beta/beta_2_s390x.deb 5 {SHA} three\n"
ADVICE = ". The lock is not edited by hand: restore the file (git checkout), then qemu/lock renews it"


class Form(unittest.TestCase):
    """Reading and writing."""

    def test_what_is_written_is_read_again(self) -> None:
        lock = parse(HEAD + ALPHA + BETA, "x")
        self.assertEqual(lock.moment, "20260102T030405Z")
        alpha, beta = lock.packages
        self.assertEqual((alpha.archive, alpha.moment, alpha.size, alpha.sets), ("main", None, 1234, ("one", "two")))
        self.assertEqual((beta.archive, beta.moment), ("security", "20251231T235959Z"))
        self.assertTrue(lock.text().endswith("snapshot 20260102T030405Z\n" + ALPHA + BETA))
        self.assertEqual(parse(lock.text(), "x"), lock)

    def test_a_set_is_named_by_its_files_alone(self) -> None:
        here = parse(HEAD + ALPHA, "x").of_set("one")
        moved = parse(HEAD + ALPHA.replace("main pool", "security@20260101T000000Z pool"), "x").of_set("one")
        other = parse(HEAD + ALPHA.replace(SHA, SHA[::-1]), "x").of_set("one")
        self.assertEqual(set_digest(here), set_digest(moved))
        self.assertNotEqual(set_digest(here), set_digest(other))

    def test_the_file_name_has_no_colon(self) -> None:
        self.assertEqual(parse(HEAD + ALPHA, "x").packages[0].file_name, "alpha_1%3a1.0-1_amd64.deb")


class ByHand(unittest.TestCase):
    """A lock that was edited is refused with the line."""

    def refused(self, text: str, said: str) -> None:
        with self.assertRaises(Refusal) as caught:
            parse(text, "debian.lock")
        self.assertEqual(str(caught.exception), said + ADVICE)

    def test_each_field(self) -> None:
        for old, new, said in (
            (SHA, SHA[:-1], f"'{SHA[:-1]}' is not a SHA-256 of 64 hexadecimal digits in small letters"),
            (SHA, SHA.upper(), f"'{SHA.upper()}' is not a SHA-256 of 64 hexadecimal digits in small letters"),
            ("alpha 1", "Alpha 1", "'Alpha' is not the name of a package"),
            ("1:1.0-1", "newest", "'newest' is not a version"),
            ("amd64 main", "sparc main", "'sparc' is not an architecture: all, amd64 or s390x"),
            ("main pool", "backports pool", "'backports' is not an archive: main or security"),
            ("main pool", "main@yesterday pool", "'yesterday' is not a moment such as 20261129T103000Z"),
            ("main pool", "main@ pool", "'' is not a moment such as 20261129T103000Z"),
            ("pool/main", "pool/../main", "'pool/../main/a/alpha/alpha_1.0-1_amd64.deb' is not a path such as pool/main/x/xyz/xyz_1_all.deb"),
            ("pool/main", "/pool/main", "'/pool/main/a/alpha/alpha_1.0-1_amd64.deb' is not a path such as pool/main/x/xyz/xyz_1_all.deb"),
            (" 1234 ", " 0 ", "'0' is not a size in bytes"),
            ("one,two", "one,", "'one,' is not names of sets with a comma between"),
            ("one,two", "two,one", "'two,one' is not sets in order, each once"),
            ("one,two", "one,one", "'one,one' is not sets in order, each once"),
            (" one,two", "", "7 fields instead of the eight: package version architecture archive path size sha256 sets"),
            (" one,two", "  one", "9 fields instead of the eight: package version architecture archive path size sha256 sets"),
        ):
            with self.subTest(new):
                self.refused(HEAD + ALPHA.replace(old, new), f"debian.lock:4: {said}")

    def test_out_of_order(self) -> None:
        self.refused(HEAD + BETA + ALPHA, "debian.lock:5: alpha stands behind beta: the lines are out of order")

    def test_twice(self) -> None:
        self.refused(HEAD + ALPHA + ALPHA, "debian.lock:5: alpha 1:1.0-1 amd64 stands there twice")

    def test_two_versions_in_one_set(self) -> None:
        later = ALPHA.replace("1:1.0-1", "1:1.1-1").replace("one,two", "two")
        self.refused(HEAD + ALPHA + later, "debian.lock:5: set two already has alpha, of another version, in line 4")

    def test_the_head(self) -> None:
        for text, said in (
            (ALPHA, "1: the line 'format' is missing at the head"),
            ("format 1\n" + ALPHA, "2: the line 'snapshot' is missing at the head"),
            ("", "0: the line 'format' is missing at the head"),
            ("format 2\n", "1: format '2' is not the one that is read here, 1"),
            ("format 1\nsnapshot now\n", "2: 'now' is not a moment such as 20261129T103000Z"),
            ("format 1\nformat 1\n", "2: 'format' is neither the format nor the snapshot"),
            ("<<<<<<< HEAD\n", "1: '<<<<<<<' is neither the format nor the snapshot"),
            (HEAD + "=======\n", "4: 1 fields instead of the eight: package version architecture archive path size sha256 sets"),
        ):
            with self.subTest(text):
                self.refused(text, f"debian.lock:{said}")


def one_set(name: str, arch: str, *packages: str) -> Set:
    """A set that asks for these packages."""
    return Set(name, arch, ("suite",), "set", packages, (), None)


class Agreement(unittest.TestCase):
    """The lock and the sets."""

    lock: Lock = parse(HEAD + ALPHA + BETA, "debian.lock")
    sets = {"one": one_set("one", "amd64", "alpha"), "two": one_set("two", "amd64"), "three": one_set("three", "s390x")}

    def refused(self, sets: dict[str, Set], said: str) -> None:
        with self.assertRaises(Refusal) as caught:
            check(self.lock, sets, "debian.lock", "debian.sets")
        self.assertEqual(str(caught.exception), f"debian.lock: {said}: run qemu/lock")

    def test_they_agree(self) -> None:
        check(self.lock, self.sets, "debian.lock", "debian.sets")

    def test_a_set_that_nobody_asks_for(self) -> None:
        sets = {name: one for name, one in self.sets.items() if name != "three"}
        self.refused(sets, "beta 2 is held by set 'three', which debian.sets does not have")

    def test_a_set_without_a_line(self) -> None:
        self.refused({**self.sets, "four": one_set("four", "amd64", "x")}, "set four of debian.sets has no line")

    def test_a_package_without_a_line(self) -> None:
        sets = {**self.sets, "one": one_set("one", "amd64", "alpha", "gamma")}
        self.refused(sets, "gamma, which set one of debian.sets asks for, has no line")

    def test_a_package_of_another_architecture(self) -> None:
        sets = {**self.sets, "three": one_set("three", "amd64")}
        self.refused(sets, "beta 2 is for s390x, its set three for amd64")


class Committed(unittest.TestCase):
    """The files of the repository."""

    qemu = Path(__file__).resolve().parents[2]

    def test_lock_and_sets_agree(self) -> None:
        text = (self.qemu / "debian.lock").read_text(encoding="utf-8")
        lock, sets = parse(text, "debian.lock"), read(self.qemu / "debian.sets")
        check(lock, sets, "debian.lock", "debian.sets")
        self.assertEqual(lock.text(), text)

    def test_one_compiler_makes_both_libraries(self) -> None:
        lock = parse((self.qemu / "debian.lock").read_text(encoding="utf-8"), "debian.lock")
        library = {package.architecture: package.version for package in lock.packages if package.name == "libstd-rust-web-dev"}
        self.assertEqual(sorted(library), ["amd64", "s390x"])
        self.assertEqual(library["amd64"], library["s390x"])


if __name__ == "__main__":
    unittest.main()
