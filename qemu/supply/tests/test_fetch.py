"""Fetching what is locked: the places, their order, and every way in which a place can fail."""

from __future__ import annotations

import os
import re
import threading
import time
import unittest
from pathlib import Path

from supply.fetch import PATIENCE

from .archive import Case, Deb, Handler

ADVICE = (
    "Renew the lock with qemu/lock; or put the files into a folder and name it in COUNTERSIGN_DEBS; or name an archive of "
    "past states in COUNTERSIGN_DEBIAN_SNAPSHOT"
)


class Fetching(Case):
    """With one set of one package, unless a test wants more."""

    def setUp(self) -> None:
        super().setUp()
        self.alpha = self.archive.add("alpha", "1:1.0+x~1", data=b"x" * 20_000)
        self.write_lock(self.alpha.line("one"))

    def debs(self, *packages: Deb) -> list[str]:
        """Names of the files in the folder of set one, which must be right."""
        out, _ = self.verb("fetch", "one")
        folder = Path(out.strip())
        for package in packages:
            name = f"{package.name}_{package.version.replace(':', '%3a')}_{package.arch}.deb"
            self.assertEqual((folder / name).read_bytes(), package.content)
        return sorted(file.name for file in folder.iterdir())

    def refused(self, *asked: str, package: Deb | None = None) -> None:
        """The whole refusal: the package and every place in order."""
        package = package or self.alpha
        out, err = self.verb("fetch", "one", status=1)
        self.assertEqual(out, "")
        listing = "".join(f"\n  {line}" for line in (f"cache {self.cache}/debs: not there", *asked))
        self.assertEqual(
            # apt's own words for a broken connection are another in each release.
            re.sub(r"(no answer|broke off .* bytes): .*", r"\1: APT", err[err.index("supply: ") :]),
            f"supply: a package of debian.lock is nowhere to be had:\n{package.name} {package.version} ({package.arch}), "
            f"SHA-256 {package.sha256}{listing}\n{ADVICE}\n",
        )
        self.assertEqual([file.name for file in (self.cache / "debs").iterdir()], [".lock"])

    def main(self, package: Deb | None = None) -> str:
        """How the main archive's address is told."""
        path = (package or self.alpha).path.replace("updates/", "")
        return f"main archive {self.server.root}/debian/{path}"

    def security(self, package: Deb | None = None) -> str:
        """How the security archive's address is told."""
        path = (package or self.alpha).path.replace("updates/", "").replace("pool/", "pool/updates/")
        return f"security archive {self.server.root}/debian-security/{path}"


class Places(Fetching):
    """Where a file may be."""

    def test_from_the_mirror_with_a_listing(self) -> None:
        beta = self.archive.add("beta", "2", arch="all")
        self.write_lock(beta.line("one"), self.alpha.line("one", "two"))
        self.sets.write_text(self.sets.read_text() + "[two]\narch = amd64\nkind = alone\npackages = alpha\n")
        out, err = self.verb("fetch", "two", "one", "two")
        two, one, again = out.split()
        self.assertEqual(two, again)
        self.assertEqual(Path(one).parent, self.cache / "sets")
        self.assertRegex(Path(one).name, "^one-[0-9a-f]{24}$")
        self.assertEqual(
            (Path(one) / "packages.lock").read_text(),
            f"alpha 1:1.0+x~1 amd64 {self.alpha.sha256}\nbeta 2 all {beta.sha256}\n",
        )
        self.assertEqual(self.debs(self.alpha, beta), ["alpha_1%3a1.0+x~1_amd64.deb", "beta_2_all.deb", "packages.lock"])
        self.assertEqual((Path(one) / "beta_2_all.deb").stat().st_ino, (self.cache / "debs" / beta.sha256).stat().st_ino)
        self.assertIn("      fetching 2 packages, ", err)
        self.assertIn("      one: 2 packages, ", err)

    def test_with_a_full_cache_nobody_is_asked(self) -> None:
        self.verb("fetch", "one")
        asked = list(self.server.asked)
        self.server.shutdown()
        self.server.server_close()
        out, err = self.verb("fetch", "one")
        self.assertEqual((Path(out.strip()).is_dir(), err), (True, ""))
        self.assertEqual(self.verb("ensure", "one"), (f"{self.lock}\n", ""))
        self.assertEqual(self.server.asked, asked)

    def test_a_set_of_files_that_are_there_needs_no_network(self) -> None:
        self.verb("ensure", "one")
        asked = list(self.server.asked)
        self.environment["COUNTERSIGN_DEBIAN_MIRROR"] = "http://127.0.0.1:1/debian"
        self.debs(self.alpha)
        self.assertEqual(self.server.asked, asked)

    def test_from_a_folder_by_either_name(self) -> None:
        for name in ("alpha_1%3a1.0+x~1_amd64.deb", "alpha_1.0+x~1_amd64.deb"):
            with self.subTest(name):
                folder = self.folder / name
                folder.mkdir()
                (folder / name).write_bytes(self.alpha.content)
                self.environment["COUNTERSIGN_CACHE"] = str(folder / "cache")
                self.environment["COUNTERSIGN_DEBS"] = f"{self.folder}/nowhere:{folder}"
                self.debs(self.alpha)
                self.assertEqual(self.server.asked, [])

    def test_a_wrong_file_in_a_folder_is_passed_over(self) -> None:
        (self.folder / "alpha_1.0+x~1_amd64.deb").write_bytes(b"y" * len(self.alpha.content))
        self.environment["COUNTERSIGN_DEBS"] = str(self.folder)
        self.debs(self.alpha)
        self.assertEqual(len(self.server.asked), 1)

    def test_from_the_archive_that_the_lock_does_not_name(self) -> None:
        for archive in ("main", "security"):
            with self.subTest(archive):
                name = f"in-{archive}"
                package = self.archive.add(name, "1", archive=archive)
                told = self.archive.add(name, "1", archive={"main": "security", "security": "main"}[archive])
                self.archive.gone(told)
                self.sets.write_text(f"[one]\narch = amd64\nkind = alone\npackages = {name}\n")
                self.write_lock(told.line("one").replace(told.sha256, package.sha256))
                self.debs(package)

    def test_from_the_archive_of_past_states(self) -> None:
        past = self.archive.folder / "past"
        security = self.archive.add("beta", "1", archive="security")
        for package, at in ((self.alpha, "debian/20260102T030405Z"), (security, "debian-security/20251231T000000Z")):
            target = past / at / package.path
            target.parent.mkdir(parents=True)
            self.archive.file(package.archive, package.path).rename(target)
        self.write_lock(self.alpha.line("one"), security.line("one", moment="20251231T000000Z"))
        self.environment["COUNTERSIGN_DEBIAN_SNAPSHOT"] = f"{self.server.root}/past/"
        self.debs(self.alpha, security)

    def test_a_mirror_that_is_a_folder(self) -> None:
        self.environment["COUNTERSIGN_DEBIAN_MIRROR"] = f"file:{self.archive.folder}/debian"
        self.debs(self.alpha)
        self.assertFalse((self.cache / "debs" / self.alpha.sha256).is_symlink())
        self.assertEqual(self.server.asked, [])

    def test_several_come_side_by_side(self) -> None:
        others = [self.archive.add(f"beta{number}", "1") for number in range(7)]
        self.write_lock(self.alpha.line("one"), *(package.line("one") for package in others))
        # Nobody is answered before all eight are there.
        barrier = threading.Barrier(8, timeout=600)

        def together(handler: Handler) -> None:
            barrier.wait()
            handler.give_file()

        self.server.answers["/pool/"] = together
        self.debs(self.alpha, *others)


class Refused(Fetching):
    """Every way in which a place can fail; the refusal names each place."""

    def test_404(self) -> None:
        self.archive.gone(self.alpha)
        self.environment["COUNTERSIGN_DEBS"] = str(self.folder)
        self.environment["COUNTERSIGN_DEBIAN_SNAPSHOT"] = f"{self.server.root}/past"
        self.refused(
            f"folder {self.folder}: not there",
            f"{self.main()}: 404 Not Found",
            f"{self.security()}: 404 Not Found",
            f"archive of past states {self.server.root}/past/debian/20260102T030405Z/{self.alpha.path}: 404 Not Found",
        )

    def test_503(self) -> None:
        self.server.answers["/"] = lambda handler: handler.send_error(503)
        self.refused(f"{self.main()}: 503 Service Unavailable", f"{self.security()}: 503 Service Unavailable")

    def test_a_web_page(self) -> None:
        self.server.answers["/debian/"] = lambda handler: handler.give(b"\n<!DOCTYPE html><p>Log in to this network.")
        self.refused(f"{self.main()}: a web page instead of the package", f"{self.security()}: 404 Not Found")

    def test_other_contents_at_the_right_name(self) -> None:
        other = Deb("alpha", "1:1.0+x~1", "amd64", "main", self.alpha.path, self.alpha.content[:-1] + b"?", "")
        self.archive.file("main", self.alpha.path).write_bytes(other.content)
        self.refused(
            f"{self.main()}: other contents: SHA-256 {other.sha256} instead of {self.alpha.sha256}",
            f"{self.security()}: 404 Not Found",
        )

    def test_a_truncated_download(self) -> None:
        whole = len(self.alpha.content)
        self.server.answers["/debian/"] = lambda handler: handler.give(self.alpha.content[:1000], length=whole)
        self.refused(
            f"{self.main()}: broke off after 1000 of {whole} bytes: APT", f"{self.security()}: 404 Not Found"
        )

    def test_a_truncated_file_on_the_mirror(self) -> None:
        self.archive.file("main", self.alpha.path).write_bytes(self.alpha.content[:1000])
        self.refused(
            f"{self.main()}: 1000 bytes instead of {len(self.alpha.content)}", f"{self.security()}: 404 Not Found"
        )

    def test_a_mirror_that_never_answers(self) -> None:
        over = threading.Event()
        self.addCleanup(over.set)

        def never(handler: Handler) -> None:
            over.wait()

        self.server.answers["/debian/"] = never
        self.environment["COUNTERSIGN_DEBIAN_TIMEOUT"] = "1"
        # Only the silent one may be cut off, however busy this machine is.
        security = f"file:{self.archive.folder}/debian-security"
        self.environment["COUNTERSIGN_DEBIAN_SECURITY"] = security
        self.refused(
            f"{self.main()}: no answer: APT",
            f"security archive {security}/{self.alpha.path.replace('pool/', 'pool/updates/')}: no such file",
        )

    def test_nobody_listens(self) -> None:
        self.environment["COUNTERSIGN_DEBIAN_MIRROR"] = "http://127.0.0.1:1/debian"
        out, err = self.verb("fetch", "one", status=1)
        self.assertIn(
            f"\n  main archive http://127.0.0.1:1/debian/{self.alpha.path}: no answer: Could not connect to 127.0.0.1:1 "
            f"(127.0.0.1). - connect (111: Connection refused)\n",
            err,
        )

    def test_a_dead_site_is_not_asked_for_every_file(self) -> None:
        others = [self.archive.add(f"beta{number:02}", "1") for number in range(40)]
        self.write_lock(self.alpha.line("one"), *(package.line("one") for package in others))
        self.server.answers["/debian/"] = lambda handler: handler.send_error(503)
        out, err = self.verb("fetch", "one", status=1)
        # Those on their way when it had failed often enough are the most that may be asked beyond it.
        self.assertLess(sum(path.startswith("/debian/") for path in self.server.asked), PATIENCE + 17)
        self.assertIn(f"supply: 41 packages of debian.lock are nowhere to be had:\nalpha 1:1.0+x~1 (amd64), ", err)
        self.assertIn(f"{self.main(others[-1])}: not asked: the site had not answered before\n", err)
        self.assertIn(f"{self.security(others[-1])}: 404 Not Found\n", err)

    def test_the_lock_is_edited(self) -> None:
        self.write_lock(self.alpha.line("one").replace(self.alpha.sha256, "0" * 63))
        out, err = self.verb("fetch", "one", status=1)
        self.assertEqual(
            err,
            f"supply: {self.lock}:4: '{'0' * 63}' is not a SHA-256 of 64 hexadecimal digits in small letters. The lock is not "
            f"edited by hand: restore the file (git checkout), then qemu/lock renews it\n",
        )

    def test_no_lock(self) -> None:
        self.lock.unlink()
        out, err = self.verb("fetch", "one", status=1)
        self.assertEqual(err, f"supply: {self.lock} cannot be read (No such file or directory): qemu/lock writes it\n")

    def test_no_such_set(self) -> None:
        out, err = self.verb("fetch", "three", status=1)
        self.assertEqual(err, f"supply: 'three' is not a set of {self.sets}: one\n")

    def test_a_cache_that_is_no_folder(self) -> None:
        self.cache.write_text("")
        out, err = self.verb("fetch", "one", status=1)
        self.assertEqual(err, f"supply: {self.cache}/debs: Not a directory\n")

    def test_wrong_usage(self) -> None:
        for words in ((), ("fetch",), ("fetch", "--renew", "one"), ("renew", "one"), ("bring", "one")):
            with self.subTest(words):
                out, err = self.verb(*words, status=2)
                self.assertIn("fetch SET...             every locked file", err)


class Cache(Fetching):
    """What the cache guarantees."""

    def test_a_damaged_file_is_fetched_again(self) -> None:
        self.verb("ensure", "one")
        kept = self.cache / "debs" / self.alpha.sha256
        kept.write_bytes(b"y" * len(self.alpha.content))
        out, err = self.verb("fetch", "one")
        self.assertIn("      alpha 1:1.0+x~1 was damaged in the cache and is fetched again\n", err)
        self.debs(self.alpha)

    def test_two_at_once(self) -> None:
        go = threading.Event()
        self.addCleanup(go.set)
        arrived = threading.Event()

        def slowly(handler: Handler) -> None:
            arrived.set()
            go.wait()
            handler.give(self.alpha.content)

        self.server.answers["/debian/"] = slowly
        first = self.start("fetch", "one")
        self.assertTrue(arrived.wait(600))
        second = self.start("fetch", "one")
        assert second.stderr is not None
        self.assertEqual(second.stderr.readline(), "      waiting for another run that fetches packages\n")
        go.set()
        outs = [process.communicate() for process in (first, second)]
        self.assertEqual([process.returncode for process in (first, second)], [0, 0], outs)
        self.assertEqual(outs[0][0], outs[1][0])
        self.assertEqual(len(self.server.asked), 1)
        self.debs(self.alpha)

    def test_what_no_run_has_used_for_long_is_removed(self) -> None:
        beta, gamma = self.archive.add("beta", "1"), self.archive.add("gamma", "1")
        self.write_lock(self.alpha.line("one"), beta.line("one"))
        old = time.time() - 15 * 24 * 3600
        for package in (self.alpha, gamma):
            file = self.cache / "debs" / package.sha256
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(package.content)
            os.utime(file, (old, old))
        folder = self.cache / "sets/old"
        folder.mkdir(parents=True)
        os.utime(folder, (old, old))
        # The first is old too, but wanted.
        self.debs(self.alpha, beta)
        self.assertEqual(len(self.server.asked), 1)
        self.assertFalse((self.cache / "debs" / gamma.sha256).exists())
        self.assertFalse(folder.exists())

    def test_what_a_failed_run_left_is_removed(self) -> None:
        left = self.cache / "debs/.fresh-left"
        left.mkdir(parents=True)
        self.verb("fetch", "one")
        self.assertFalse(left.exists())


if __name__ == "__main__":
    unittest.main()
