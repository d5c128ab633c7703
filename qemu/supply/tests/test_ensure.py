"""`ensure`: the committed lock where its files are to be had, else a refusal, else a lock renewed into the cache."""

from __future__ import annotations

import os
import re
import time
import unittest
from pathlib import Path

from .archive import Case

SUITES = "suites = stable\n"


class Ensuring(Case):
    """Two sets; the first one's file is gone and a newer one is there."""

    def setUp(self) -> None:
        super().setUp()
        self.keyring()
        self.sets.write_text("".join(f"[{name}]\narch = amd64\n{SUITES}kind = set\npackages = {package}\n" for name, package in (("one", "alpha"), ("two", "beta"))))
        self.alpha, self.beta, self.new = (self.archive.add(*what) for what in (("alpha", "1"), ("beta", "1"), ("alpha", "2")))
        self.write_lock(self.alpha.line("one"), self.beta.line("two"))
        self.archive.publish("stable", [self.new])

    def test_the_committed_lock(self) -> None:
        out, err = self.verb("ensure", "one", "two")
        self.assertEqual(out, f"{self.lock}\n")
        self.assertIn("fetching 2 packages", err)
        self.assertEqual(self.verb("ensure", "--renew", "one", "two"), (f"{self.lock}\n", ""))

    def test_refused(self) -> None:
        self.archive.gone(self.alpha)
        out, err = self.verb("ensure", "one", status=1)
        self.assertEqual(out, "")
        self.assertRegex(
            err,
            "supply: a package of debian.lock is nowhere to be had:\n"
            f"alpha 1 [(]amd64[)], SHA-256 {self.alpha.sha256}\n  cache .*\n  main archive .*\n  security archive .*\nRenew the lock with qemu/lock; ",
        )

    def test_renewed_into_the_cache(self) -> None:
        self.archive.gone(self.alpha)
        before = self.lock.read_bytes()
        out, err = self.verb("ensure", "--renew", "one")
        renewed = Path(out.strip())
        self.assertEqual((renewed.parent, self.lock.read_bytes()), (self.cache / "locks", before))
        self.assertIn(f"      debian.lock names 1 packages that are nowhere to be had; it is renewed for this run\n", err)
        self.assertIn(f"      alpha 1 (amd64), SHA-256 {self.alpha.sha256}\n        cache ", err)
        self.assertIn("      alpha (amd64): 1 -> 2\n", err)
        # The other set was not looked at: its line says when it was.
        packages = [line for line in renewed.read_text().splitlines(keepends=True) if re.match("[ab]", line)]
        self.assertEqual(packages, [self.new.line("one"), self.beta.line("two", moment="20260102T030405Z")])
        self.environment["COUNTERSIGN_LOCK"] = str(renewed)
        out, err = self.verb("fetch", "one")
        self.assertTrue((Path(out.strip()) / "alpha_2_amd64.deb").is_file())

    def test_it_serves_for_some_days(self) -> None:
        self.archive.gone(self.alpha)
        first, _ = self.verb("ensure", "--renew", "one")
        self.archive.publish("stable", [self.archive.add("alpha", "3")])
        self.server.asked.clear()
        again, err = self.verb("ensure", "--renew", "one")
        self.assertEqual(again, first)
        self.assertRegex(err, "      the lock that was renewed at 20[0-9]{6}T[0-9]{6}Z still serves\n")
        self.assertEqual([path for path in self.server.asked if "dists" in path], [])
        old = time.time() - 8 * 24 * 3600
        os.utime(first.strip(), (old, old))
        out, err = self.verb("ensure", "--renew", "one")
        self.assertIn("      alpha (amd64): 1 -> 3\n", err)

    def test_nothing_to_renew_with(self) -> None:
        self.archive.gone(self.alpha)
        self.archive.gone(self.new)
        out, err = self.verb("ensure", "--renew", "one", status=1)
        self.assertIn("supply: set one cannot be complete, so nothing is changed:\n", err)
        self.assertEqual(out, "")


if __name__ == "__main__":
    unittest.main()
