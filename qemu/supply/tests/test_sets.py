"""`debian.sets`: what a section may say, and each refusal."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from supply.report import Refusal
from supply.sets import SUITES, read


class Sets(unittest.TestCase):
    """Reading."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "debian.sets"

    def test_all_that_a_section_can_say(self) -> None:
        (self.file.parent / "list").write_text("# heading\nbeta   # because\n-gamma*\n\nalpha\n")
        self.file.write_text(
            "# comment\n[one]\narch = amd64\nkind = set\ninclude = list\npackages =\n    alpha  # first\n\n    delta\n"
            "without =\n    [!p]*  # most\n    x\nlike = two\n[two]\narch = s390x\nsuites = forky\nkind = direct\npackages = alpha\n"
        )
        one, two = read(self.file).values()
        self.assertEqual((one.name, one.arch, one.kind, one.like), ("one", "amd64", "set", "two"))
        self.assertEqual(one.suites, tuple(SUITES.split()))
        self.assertEqual(one.packages, ("alpha", "delta", "beta"))
        self.assertEqual(one.without, ("[!p]*", "x", "gamma*"))
        self.assertEqual([one.takes(name) for name in ("p", "q", "python")], [True, False, True])
        self.assertEqual((two.suites, two.kind), (("forky",), "direct"))

    def test_refusals(self) -> None:
        good = "[one]\narch = amd64\nkind = set\npackages = alpha\n"
        for text, said in (
            (good.replace("amd64", "sparc"), "set one: arch must be amd64 or s390x"),
            (good.replace("= set", "= all"), "set one: kind must be set (with dependencies), direct (with those that these name) or alone (exactly these)"),
            (good.replace("packages = alpha", "packages ="), "set one: neither packages nor include names a package"),
            (good + "wihtout = x\n", "set one: 'wihtout' is not one of arch, include, kind, like, packages, suites, without"),
            (good + "like = two\n", "set one: like = two: there is no such set"),
            (good + "[one]\n", "While reading from '{0}' [line 5]: section 'one' already exists"),
            ("arch = amd64\n", "File contains no section headers. file: '{0}', line: 1 'arch = amd64\\n'"),
        ):
            with self.subTest(said):
                self.file.write_text(text)
                with self.assertRaises(Refusal) as caught:
                    read(self.file)
                self.assertEqual(str(caught.exception).replace("<???>", str(self.file)), f"{self.file}: {said.format(self.file)}")

    def test_files_that_are_not_there(self) -> None:
        with self.assertRaises(Refusal) as caught:
            read(self.file)
        self.assertEqual(str(caught.exception), f"{self.file} cannot be read: No such file or directory")
        self.file.write_text("[one]\narch = amd64\nkind = set\ninclude = list\n")
        with self.assertRaises(Refusal) as caught:
            read(self.file)
        self.assertEqual(str(caught.exception), f"{self.file.parent}/list cannot be read: No such file or directory")


if __name__ == "__main__":
    unittest.main()
