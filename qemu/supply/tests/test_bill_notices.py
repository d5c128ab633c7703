"""Gathered material, and the notices made from it."""

from pathlib import Path

from supply.bill import crates, debs, material, notices
from supply.report import Refusal

from .bill_support import InFolder, cargo_lock, crate, deb, doc, listing, metadata

LINKED = "one v1.0.0\ntwo v2.0.0\n"


def gathered(folder: Path, *, base_files: bool = True) -> material.Material:
    """Two parts with a package in both, one of which no file is taken, a tool, and three crates."""
    guest, initramfs, tools = (folder / name for name in ("guest", "initramfs", "tools"))
    for made in (guest, initramfs, tools):
        made.mkdir()
    free = {"usr/share/doc/libfree/copyright": "Free.\nOn Debian, see /usr/share/common-licenses/GPL-2.\n"}
    deb(guest, "libshared", "2.0-1", fields="Source: shared\n", files={"usr/lib/libshared.so.2.1": "", **doc("libshared", "Expat", "shared text")},
        links={"usr/lib/libshared.so.2": "libshared.so.2.1"})
    deb(guest, "shared-utils", "2.0-1", fields="Source: shared\n",
        files={"usr/bin/shared": "", **{"usr/share/doc/shared-utils/copyright": doc("libshared", "Expat", "shared text")["usr/share/doc/libshared/copyright"]}})
    deb(guest, "libfree", "1:1.0+x~y-1", fields="Static-Built-Using: golang-free (= 1-1)\n", files={"usr/lib/libfree.so": "", **free})
    deb(guest, "left-out", files={"usr/bin/left-out": "", **doc("left-out", "GPL-3", "left out text")})
    (initramfs / "libshared_2.0-1_s390x.deb").hardlink_to(guest / "libshared_2.0-1_s390x.deb")
    deb(tools, "packer", architecture="amd64", files=doc("packer", "GPL-3+", "packer text"))
    if base_files:
        deb(tools, "base-files", architecture="amd64", files={"usr/share/common-licenses/GPL-2": "the second GPL\n", **doc("base-files", "GPL-2")})
    packages = [crate(folder, "one", "1.0.0", "MIT OR Apache-2.0", {"LICENSE-MIT": "mit of one\n", "LICENSE-APACHE": "apache\n"}),
                crate(folder, "two", "2.0.0", "Apache-2.0", {"LICENSE": "apache\n"}), crate(folder, "macro", "3.0.0", "MIT", {"LICENSE": "macro text"})]
    return material.gather(
        [material.SetFolder("guest-os", listing(guest), "debian-13"), material.SetFolder("initramfs", listing(initramfs), "debian-13"),
         material.SetFolder("build", listing(tools), "debian-13")],
        crates.read(metadata(*packages), cargo_lock(*packages), LINKED, LINKED + "macro v3.0.0 (proc-macro)\n"),
        folder / "kept", folder / "material")


# Paths of the guest OS's packages that are in the image.
KEPT = {"guest-os": ["usr/bin/shared", "usr/lib/libfree.so", "usr/lib/libshared.so.2", "usr/lib/libshared.so.2.1"]}


class Material(InFolder):
    """What is gathered."""

    def test_written_and_read(self) -> None:
        """The folder holds all of it, and each text once."""
        found = gathered(self.folder)
        self.assertEqual(material.load(self.folder / "material"), found)
        self.assertEqual([(package.name, package.parts) for package in found.packages],
                         [("base-files", ["build"]), ("left-out", ["guest-os"]), ("libfree", ["guest-os"]),
                          ("libshared", ["guest-os", "initramfs"]), ("packer", ["build"]), ("shared-utils", ["guest-os"])])
        self.assertEqual([package.licence for package in found.packages],
                         ["GPL-2.0-only", "GPL-3.0-only", "", "MIT", "GPL-3.0-or-later", "MIT"])
        texts = [path.read_text(encoding="utf-8") for path in (self.folder / "material/texts").iterdir()]
        self.assertEqual(len(texts), len(set(texts)))
        self.assertEqual(sum("shared text" in text for text in texts), 1)

    def test_which_packages_have_a_file(self) -> None:
        """By the list of paths; without one all of a part."""
        found = gathered(self.folder)
        everything = material.kept_packages(found, KEPT)
        self.assertEqual(everything, {("guest-os", "libshared"), ("guest-os", "shared-utils"), ("guest-os", "libfree"),
                                      ("initramfs", "libshared")})
        with self.assertRaisesRegex(Refusal, "^/usr/bin/stray of guest-os is in none of its packages$"):
            material.kept_packages(found, {"guest-os": ["usr/bin/stray"]})
        with self.assertRaisesRegex(Refusal, "^no set was gathered for the part kernel: there are guest-os, initramfs$"):
            material.kept_packages(found, {"kernel": []})

    def test_one_version_with_two_digests(self) -> None:
        """Two sets must mean the same file."""
        for name, text in (("first", "a"), ("second", "b")):
            (self.folder / name).mkdir()
            deb(self.folder / name, "thing", files={"usr/bin/thing": text, **doc("thing", "Expat")})
        sets = [material.SetFolder(name, listing(self.folder / name), "debian-13") for name in ("first", "second")]
        with self.assertRaisesRegex(Refusal, "^thing 1.0-1 s390x has two digests: "):
            material.gather(sets, [], self.folder / "kept", self.folder / "material")

    def test_not_gathered(self) -> None:
        """The folder is missing."""
        with self.assertRaisesRegex(Refusal, "material.json cannot be read .*: `supply.bill gather` writes it$"):
            material.load(self.folder)


class Notices(InFolder):
    """The text."""

    def write(self, found: material.Material) -> str:
        """Of what is in the image."""
        return notices.write(found, material.kept_packages(found, KEPT), notices.reader(self.folder / "material"))

    def test_every_text_once(self) -> None:
        """With the names of all that it belongs to."""
        text = self.write(gathered(self.folder))
        for once in ("\nDebian: libfree 1:1.0+x~y-1\n", "\nDebian: libshared 2.0-1, shared-utils 2.0-1\n", "shared text", "mit of one",
                     "\ncrates.io: one 1.0.0 (LICENSE-APACHE), two 2.0.0 (LICENSE)\n", "\napache\n",
                     "\none 1.0.0: MIT OR Apache-2.0\n", "\n/usr/share/common-licenses/GPL-2\n", "the second GPL"):
            self.assertEqual(text.count(once), 1, once)
        # Not in the image: a package without a file in it, tools, macros.
        for never in ("left out text", "packer", "macro"):
            self.assertNotIn(never, text)
        self.assertNotIn(str(self.folder), text)

    def test_same_bytes(self) -> None:
        """From another folder, the crates' folders another way round."""
        first = self.write(gathered(self.folder))
        self.folder = self.folder / "another/much/longer"
        self.folder.mkdir(parents=True)
        self.assertEqual(self.write(gathered(self.folder)), first)

    def test_referred_licences_must_be_there(self) -> None:
        """A notice needs the text of the licence that it names."""
        with self.assertRaisesRegex(Refusal, "^copyright files refer to /usr/share/common-licenses/GPL-2, which is in none of the "
                                             "sets: the package base-files has it$"):
            self.write(gathered(self.folder, base_files=False))

    def test_long_titles_are_wrapped(self) -> None:
        """Names of many packages fit on lines."""
        names = [f"package-{number} 1.0" for number in range(40)]
        lines = notices._wrapped(", ".join(names)).split("\n")
        self.assertLessEqual(max(map(len, lines)), 120)
        self.assertEqual(" ".join(lines), ", ".join(names))
