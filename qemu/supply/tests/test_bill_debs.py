"""What is read from packages."""

from pathlib import Path

from supply.bill import debs
from supply.report import Refusal

from .bill_support import InFolder, deb, doc, listing


class Debs(InFolder):
    """Packages of dpkg-deb."""

    def read(self) -> list[debs.Deb]:
        """The set in the folder."""
        return debs.read_folder(listing(self.folder), self.folder / "kept")

    def test_fields_files_and_text(self) -> None:
        """A package with everything, of an old layout."""
        deb(self.folder, "thing", "1:2.0-3+b1", fields="Source: things (1:2.0-3)\nStatic-Built-Using: golang-x (= 1-1), rust-y (= 2)\n",
            files={"usr/bin/thing": "x", "lib/thing.so": "y", **doc("thing", "Expat")}, links={"sbin/thing": "../bin/thing"})
        (one,) = self.read()
        self.assertEqual((one.name, one.version, one.architecture), ("thing", "1:2.0-3+b1", "s390x"))
        self.assertEqual(one.facts.source, "things 1:2.0-3")
        self.assertEqual(one.facts.built_using, ["golang-x (= 1-1)", "rust-y (= 2)"])
        self.assertEqual(one.facts.files,
                         ["usr/bin/thing", "usr/lib/thing.so", "usr/sbin/thing", "usr/share/doc/thing/copyright"])
        self.assertIn("License: Expat", debs.copyright_text(one, [one]))

    def test_copyright_file_of_another_package(self) -> None:
        """By a link of the folder, or of the file, over two steps."""
        deb(self.folder, "base", files=doc("base", "ISC"))
        deb(self.folder, "middle", links={"usr/share/doc/middle": "base"})
        deb(self.folder, "top", links={"usr/share/doc/top/copyright": "../middle/copyright"})
        found = self.read()
        for one in found:
            self.assertIn("License: ISC", debs.copyright_text(one, found))
        top = next(one for one in found if one.name == "top")
        with self.assertRaisesRegex(Refusal, "^the copyright file of top 1.0-1 is that of middle, which is in none of the sets$"):
            debs.copyright_text(top, [top])

    def test_no_copyright_file(self) -> None:
        """Every package of Debian has one."""
        deb(self.folder, "bare", files={"usr/bin/bare": ""})
        (one,) = self.read()
        with self.assertRaisesRegex(Refusal, "^bare 1.0-1 has no copyright file$"):
            debs.copyright_text(one, [one])

    def test_common_licences(self) -> None:
        """Texts and the links among them."""
        deb(self.folder, "base-files", files={"usr/share/common-licenses/GPL-3": "three", **doc("base-files", "GPL-3")},
            links={"usr/share/common-licenses/GPL": "GPL-3"})
        self.assertEqual(self.read()[0].facts.common, {"GPL": "three", "GPL-3": "three"})

    def test_read_once(self) -> None:
        """What is kept under its digest is not taken apart again."""
        file = deb(self.folder, "thing", files=doc("thing", "Expat"))
        first = self.read()
        listing_text = (self.folder / "packages.lock").read_text(encoding="utf-8")
        file.unlink()
        self.assertEqual(debs.read_folder(self.folder, self.folder / "kept"), first)
        self.assertIn(first[0].sha256, listing_text)

    def test_another_package_of_that_name(self) -> None:
        """The listing and the package must agree."""
        file = deb(self.folder, "other", files=doc("other", "Expat"))
        named = file.rename(self.folder / "thing_1.0-1_s390x.deb")
        with self.assertRaisesRegex(Refusal, f"^{named} is other 1.0-1, not thing 1.0-1$"):
            self.read()

    def test_cut_short(self) -> None:
        """A package that ends in the middle of its files."""
        file = deb(self.folder, "thing", files={"usr/bin/thing": "x" * 100_000, **doc("thing", "Expat")})
        file.write_bytes(file.read_bytes()[:-60_000])
        with self.assertRaisesRegex(Refusal, f"^{file} cannot be unpacked: dpkg-deb.*: .*unexpected end of file"):
            self.read()

    def test_no_package_at_all(self) -> None:
        """A page of a mirror under the name of a package."""
        (self.folder / "thing_1_all.deb").write_text("<html>", encoding="utf-8")
        with self.assertRaisesRegex(Refusal, "thing_1_all.deb is not a Debian package: "):
            self.read()

    def test_listing(self) -> None:
        """One that is not there, names too much, or is of another form."""
        with self.assertRaisesRegex(Refusal, "packages.lock cannot be read"):
            debs.read_folder(self.folder, self.folder / "kept")
        self.names("thing 1 s390x")
        with self.assertRaisesRegex(Refusal, "'thing 1 s390x' is not package, version, architecture, SHA-256$"):
            debs.read_folder(self.folder, self.folder / "kept")
        self.names("thing 1 s390x " + "0" * 64)
        with self.assertRaisesRegex(Refusal, "thing_1_s390x.deb is not there, but .* names it$"):
            debs.read_folder(self.folder, self.folder / "kept")

    def names(self, line: str) -> None:
        """A listing of one line."""
        Path(self.folder / "packages.lock").write_text(line + "\n", encoding="utf-8")
