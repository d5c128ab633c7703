"""Renewing the lock against archives that are whole, out of step, half there, or not to be trusted."""

from __future__ import annotations

import re
import unittest

from .archive import Case, Deb

SUITES = "suites = stable stable-updates stable-security\n"
SET = f"[one]\narch = amd64\n{SUITES}kind = set\npackages = alpha\n"


class Renewing(Case):
    """With suites `stable`, `stable-updates` (empty) and `stable-security`."""

    def setUp(self) -> None:
        super().setUp()
        self.keyring()
        self.sets.write_text(SET)

    def publish(self, *main: Deb, security: tuple[Deb, ...] = ()) -> None:
        """The indexes name these."""
        self.archive.publish("stable", list(main))
        self.archive.publish("stable-updates", [])
        self.archive.publish("stable-security", list(security))

    def lines(self) -> list[str]:
        """The lock's packages, without its head."""
        lines = self.lock.read_text().splitlines(keepends=True)
        return [line for line in lines if not re.match("#|format|snapshot", line)]

    def unchanged(self, *words: str, status: int = 1) -> str:
        """Renews, which must leave the lock as it is; what is said of it."""
        before = self.lock.read_bytes() if self.lock.exists() else None
        out, err = self.verb("renew", *words, status=status)
        self.assertEqual(self.lock.read_bytes() if self.lock.exists() else None, before)
        return err[err.index("qemu/lock: ") :] if "qemu/lock: " in err else err


class Whole(Renewing):
    """From an archive in good order."""

    def test_dependencies_and_the_form_of_the_lock(self) -> None:
        beta = self.archive.add("beta", "1:2", arch="all")
        alpha = self.archive.add("alpha", "1", depends="beta (>= 1:1), gamma")
        gamma = self.archive.add("gamma", "3~1+b1")
        self.archive.add("delta", "1")
        self.publish(alpha, beta, gamma)
        out, err = self.verb("renew")
        self.assertEqual(self.lines(), [beta.line("one"), alpha.line("one"), gamma.line("one")])
        self.assertRegex(self.lock.read_text(), r"(?m)^format 1\nsnapshot 20[0-9]{6}T[0-9]{6}Z$")
        self.assertEqual(out, "alpha (amd64): new, 1, for one\nbeta (all): new, 1:2, for one\ngamma (amd64): new, 3~1+b1, for one\n")
        self.assertIn(f"      {self.lock}: 0 changed, 3 new, 0 lost; 3 packages, ", err)
        # All files came on the way: what was locked builds.
        self.server.shutdown()
        self.verb("fetch", "one")

    def test_what_changed_and_what_is_a_security_update(self) -> None:
        old = self.archive.add("alpha", "1", depends="beta, gamma"), self.archive.add("beta", "1"), self.archive.add("gamma", "1")
        self.publish(*old)
        self.verb("renew")
        alpha = self.archive.add("alpha", "2", depends="beta, gamma")
        beta = self.archive.add("beta", "1+deb1", archive="security")
        # A point release takes a security update over; both archives name it then.
        gamma = self.archive.add("gamma", "1+deb1"), self.archive.add("gamma", "1+deb1", archive="security")
        self.publish(alpha, old[1], gamma[0], security=(beta, gamma[1]))
        out, err = self.verb("renew")
        self.assertEqual(
            out,
            "alpha (amd64): 1 -> 2\nbeta (amd64): 1 -> 1+deb1, security update\ngamma (amd64): 1 -> 1+deb1, security update\n",
        )
        self.assertEqual(self.lines()[:2], [alpha.line("one"), beta.line("one")])

    def test_nothing_new_leaves_every_byte(self) -> None:
        self.publish(self.archive.add("alpha", "1"))
        self.verb("renew")
        self.lock.write_text(re.sub("snapshot .*", "snapshot 20260102T030405Z", self.lock.read_text()))
        self.assertIn("      debian.lock is as new as it can be: 1 packages\n", self.unchanged(status=0))
        self.assertIn("      debian.lock is as new as it can be: 1 packages\n", self.unchanged("--check", status=0))

    def test_check(self) -> None:
        self.publish(self.archive.add("alpha", "1"))
        self.verb("renew")
        self.publish(self.archive.add("alpha", "2"))
        self.assertIn("      debian.lock can be renewed: 1 changed, 0 new, 0 lost\n", self.unchanged("--check", status=1))

    def test_check_that_cannot_find_out(self) -> None:
        self.publish()
        self.unchanged("--check", status=2)

    def test_alone_direct_and_without(self) -> None:
        beta = self.archive.add("beta", "1", depends="gamma")
        alpha = self.archive.add("alpha", "1", depends="beta, delta")
        gamma, delta = self.archive.add("gamma", "1"), self.archive.add("delta", "1")
        self.publish(alpha, beta, gamma, delta)
        for kind, lines in (
            ("kind = alone\n", [alpha]),
            ("kind = direct\n", [alpha, beta, delta]),
            ("kind = set\n", [alpha, beta, delta, gamma]),
            ("kind = set\nwithout = g* delta\n", [alpha, beta]),
        ):
            with self.subTest(kind):
                self.sets.write_text(SET.replace("kind = set\n", kind))
                self.lock.unlink(missing_ok=True)
                self.verb("renew")
                self.assertEqual(self.lines(), [deb.line("one") for deb in lines])

    def test_sets_of_two_releases_and_a_file_in_two_sets(self) -> None:
        self.sets.write_text(
            SET + f"[two]\narch = amd64\nsuites = testing\nkind = alone\npackages = alpha\n"
            f"[three]\narch = amd64\n{SUITES}kind = alone\npackages = alpha\n"
        )
        alpha, later = self.archive.add("alpha", "1"), self.archive.add("alpha", "2")
        self.publish(alpha)
        self.archive.publish("testing", [later])
        self.verb("renew")
        self.assertEqual(self.lines(), [alpha.line("one", "three"), later.line("two")])

    def test_alike(self) -> None:
        # One architecture is a build behind; what is built with the library goes back with it.
        self.sets.write_text(
            SET.replace("alpha", "rustc")
            + f"[guest]\narch = s390x\n{SUITES}kind = alone\npackages = libstd\nlike = one\n"
        )
        old = [self.archive.add(name, "1", depends=need) for name, need in (("rustc", "libstd (= 1)"), ("libstd", ""))]
        new = [self.archive.add(name, "1+b1", depends=need) for name, need in (("rustc", "libstd (= 1+b1)"), ("libstd", ""))]
        guest = self.archive.add("libstd", "1", arch="s390x")
        self.publish(*old, *new, guest)
        out, err = self.verb("renew")
        self.assertEqual(self.lines(), [old[1].line("one"), old[0].line("one"), guest.line("guest")])
        self.assertIn("      libstd 1+b1 for amd64 is passed over: guest and one must be alike\n", err)


class Half(Renewing):
    """From an archive whose files are not all there, or whose indexes are out of step."""

    def test_a_candidate_without_a_file_is_passed_over(self) -> None:
        old, new = self.archive.add("alpha", "1", archive="security"), self.archive.add("alpha", "2")
        self.publish(new, security=(old,))
        self.archive.gone(new)
        out, err = self.verb("renew")
        self.assertEqual(self.lines(), [old.line("one")])
        self.assertIn("      alpha 2 (amd64) is passed over: its file is nowhere\n", err)

    def test_what_no_index_names_is_kept_with_its_moment(self) -> None:
        old = self.archive.add("alpha", "1", depends="beta")
        beta = self.archive.add("beta", "1")
        self.write_lock(old.line("one"), beta.line("one"))
        new = self.archive.add("alpha", "2", depends="beta")
        self.publish(new, beta)
        self.archive.gone(new)
        out, err = self.verb("renew")
        self.assertEqual(self.lines(), [old.line("one", moment="20260102T030405Z"), beta.line("one")])
        self.assertIn("      1 locked packages for amd64 that no index names stay candidates\n", err)
        self.assertEqual(out, f"alpha (amd64) 1: in main {old.path} -> main@20260102T030405Z {old.path}\n")
        # The moment stays, whenever it is renewed again; an index that names the file once more ends it.
        self.assertIn("as new as it can be", self.unchanged(status=0))
        self.publish(old, beta)
        self.verb("renew")
        self.assertEqual(self.lines(), [old.line("one"), beta.line("one")])

    def test_what_was_built_together_goes_together(self) -> None:
        def build(version: str, archive: str) -> list[Deb]:
            names = (("libx", ""), ("libx-dev", f"libx (= {version})"), ("libx-doc", ""))
            return [self.archive.add(name, version, depends=need, archive=archive, source="x") for name, need in names]

        old, new = build("1", "security"), build("2", "main")
        self.publish(*new, security=tuple(old))
        self.archive.gone(new[0])
        self.sets.write_text(
            SET.replace("alpha", "libx-dev") + f"[two]\narch = amd64\n{SUITES}kind = set\npackages = libx-doc\n"
        )
        self.verb("renew")
        # Of the same source, but nothing ties the third to the missing file.
        self.assertEqual(self.lines(), [old[0].line("one"), old[1].line("one"), new[2].line("two")])

    def test_an_index_out_of_step_is_told_and_the_rest_goes_on(self) -> None:
        alpha = self.archive.add("alpha", "1")
        self.publish(alpha, security=(self.archive.add("alpha", "1+deb1", archive="security"),))
        index = self.archive.file("security", "dists/stable-security/main/binary-amd64/Packages")
        index.write_bytes(index.read_bytes() + b"\n")
        out, err = self.verb("renew")
        self.assertEqual(self.lines(), [alpha.line("one")])
        self.assertIn(
            f"      index out of step, the rest goes on: {self.server.root}/debian-security/dists/stable-security/"
            f"main/binary-amd64/Packages: File has unexpected size (",
            err,
        )

    def test_a_suite_that_is_not_there_is_told_and_the_rest_goes_on(self) -> None:
        alpha = self.archive.add("alpha", "1")
        self.archive.publish("stable", [alpha])
        out, err = self.verb("renew")
        self.assertEqual(self.lines(), [alpha.line("one")])
        self.assertIn(
            f"      index missing, the rest goes on: The repository '{self.server.root}/debian-security stable-security "
            f"Release' does not have a Release file.\n",
            err,
        )

    def test_a_set_that_cannot_be_complete_changes_nothing(self) -> None:
        old, beta = self.archive.add("alpha", "1"), self.archive.add("beta", "1")
        self.publish(old, beta)
        self.sets.write_text(SET + f"[two]\narch = amd64\n{SUITES}kind = set\npackages = beta\n")
        self.verb("renew")
        alpha, new = self.archive.add("alpha", "2"), self.archive.add("beta", "2", depends="libx (= 1)")
        libx = self.archive.add("libx", "1", source="x (0.9)")
        self.publish(alpha, new, libx)
        for package in (libx, beta):
            self.archive.gone(package)
        (self.cache / "debs" / beta.sha256).unlink()
        said = self.unchanged()
        self.assertTrue(said.startswith("qemu/lock: set two cannot be complete, so nothing is changed:\n"), said)
        self.assertRegex(said, r"nothing is changed:\n beta : Depends: libx \(= 1\) but it is not ")
        self.assertIn("\nPassed over for amd64:\nlibx 1: its file is nowhere\nAsked for the files that are nowhere:\nlibx 1 (amd64), SHA-256 ", said)
        self.assertIn(f"\n  main archive {self.server.root}/debian/{libx.path}: 404 Not Found\n", said)
        self.assertTrue(
            said.endswith(
                "\nTry again when the mirror is whole, name another in COUNTERSIGN_DEBIAN_MIRROR, or correct qemu/debian.sets\n"
            )
        )

    def test_a_name_that_no_index_has(self) -> None:
        self.publish()
        for kind, said in (("alone", "no index has a version of alpha that can be taken"), ("set", "E: Unable to locate package alpha")):
            with self.subTest(kind):
                self.sets.write_text(SET.replace("= set", f"= {kind}"))
                self.assertIn(f"qemu/lock: set one cannot be complete, so nothing is changed:\n{said}\n", self.unchanged())

    def test_a_lost_package(self) -> None:
        beta = self.archive.add("beta", "1")
        self.publish(self.archive.add("alpha", "1", depends="beta"), beta)
        self.verb("renew")
        alpha = self.archive.add("alpha", "2")
        self.publish(alpha, beta)
        self.assertEqual(
            self.unchanged(),
            "qemu/lock: the new lock would no longer have beta (amd64), so nothing is changed. If nothing needs that any "
            "more, say --allow-removal\n",
        )
        out, err = self.verb("renew", "--allow-removal")
        self.assertEqual(out, "alpha (amd64): 1 -> 2\nbeta (amd64): lost, was 1, for one\n")
        self.assertEqual(self.lines(), [alpha.line("one")])


class Untrusted(Renewing):
    """From an archive that is not Debian's."""

    def refused(self) -> None:
        """The refusal names index and keyring; nothing is locked."""
        said = self.unchanged()
        keyring = self.environment["COUNTERSIGN_DEBIAN_KEYRING"]
        self.assertTrue(
            said.startswith(f"qemu/lock: an index for amd64 is not signed by a key of {keyring}, nothing of it is taken: "), said
        )
        self.assertIn(f"{self.server.root}/debian stable ", said)
        self.assertTrue(
            said.endswith(" Look at what answers as the mirror; COUNTERSIGN_DEBIAN_MIRROR names another\n"), said
        )

    def test_a_foreign_key(self) -> None:
        alpha = self.archive.add("alpha", "1")
        self.publish(alpha)
        self.archive.publish("stable", [alpha], signed_by="foreign")
        self.refused()

    def test_no_signature(self) -> None:
        alpha = self.archive.add("alpha", "1")
        self.publish(alpha)
        self.archive.publish("stable", [alpha], signed_by=None)
        self.refused()

    def test_an_altered_index_of_good_signature(self) -> None:
        self.publish(self.archive.add("alpha", "1"))
        release = self.archive.file("main", "dists/stable/InRelease")
        release.write_bytes(release.read_bytes().replace(b"Codename: stable", b"Codename: stabIe"))
        self.refused()

    def test_other_contents_of_a_version_that_is_locked(self) -> None:
        alpha = self.archive.add("alpha", "1")
        self.publish(alpha)
        self.verb("renew")
        other = self.archive.add("alpha", "1", data=b"other")
        self.publish(other)
        out, err = self.verb("renew", "--check", status=1)
        self.assertEqual(
            out,
            f"alpha (amd64): 1 -> 1, OTHER CONTENTS of the same version: SHA-256 {alpha.sha256} -> {other.sha256}\n",
        )

    def test_no_keyring(self) -> None:
        self.environment["COUNTERSIGN_DEBIAN_KEYRING"] = str(self.folder / "keys.gpg")
        self.assertEqual(
            self.unchanged(), f"qemu/lock: {self.folder}/keys.gpg is missing: install debian-archive-keyring\n"
        )


if __name__ == "__main__":
    unittest.main()
