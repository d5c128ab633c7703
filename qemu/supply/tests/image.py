"""Manifest and bill of materials of a real image; `tests/run` calls it where there is one, so it is not found by itself.

    python3 -m unittest supply.tests.image

COUNTERSIGN_OS_IMAGE names the image beside which they lie, COUNTERSIGN_BILL_SETS the folders of the sets, joined by blanks,
as `image_material` of `qemu/lib/bill.sh` takes them.
"""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path
from typing import Any, ClassVar

from .bill_support import cargo, cyclonedx_validator, manifest_validator
from .test_bill_manifest import digest

# Where a file of an old layout lies in the image.
MERGED = re.compile(r"^(bin|lib|sbin)/")


class RealImage(unittest.TestCase):
    """The image that was just built."""

    folder: ClassVar[Path]
    sets: ClassVar[list[list[str]]]
    manifest: ClassVar[dict[str, Any]]
    sbom: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        """Reads both; what is missing here is an error of the caller."""
        cls.folder = Path(os.environ["COUNTERSIGN_OS_IMAGE"]).parent
        cls.sets = [word.split("=", 2) for word in os.environ["COUNTERSIGN_BILL_SETS"].split()]
        cls.manifest = json.loads((cls.folder / "manifest.json").read_text(encoding="utf-8"))
        cls.sbom = json.loads((cls.folder / "sbom.cdx.json").read_text(encoding="utf-8"))

    def components(self, kind: str, scope: str) -> dict[str, Any]:
        """By name."""
        return {component["name"]: component for component in self.sbom["components"]
                if component.get("purl", "").startswith(f"pkg:{kind}/") and component["scope"] == scope}

    def test_schemas(self) -> None:
        """The published one of CycloneDX, and ours."""
        cyclonedx_validator().validate(self.sbom)
        manifest_validator().validate(self.manifest)

    def test_digests_of_the_manifest(self) -> None:
        """Of what lies beside it."""
        for key, name in (("os_image", "os.img"), ("image_json", "image.json"), ("sbom", "sbom.cdx.json"), ("notices", "THIRD-PARTY")):
            self.assertEqual(self.manifest["files"][key]["sha256"], digest(self.folder / name), name)
        image_json = json.loads((self.folder / "image.json").read_text(encoding="utf-8"))
        self.assertEqual(self.manifest["root_hash"], image_json["root"]["root_hash"])

    def test_packages_with_a_file_in_the_image(self) -> None:
        """Each file that was kept, looked for in what dpkg-deb lists; versions as dpkg-deb says them."""
        named = self.components("deb", "required")
        lists = {"guest-os": "kept", "initramfs": "kept-initramfs"}
        expected = set()
        for part, _, folder in self.sets:
            kept = set((self.folder / lists[part]).read_text(encoding="utf-8").split("\n")) if part in lists else None
            for file in Path(folder).glob("*.deb") if part != "build" else ():
                shown = subprocess.run(["dpkg-deb", "--showformat", "${Package} ${Version}", "--show", str(file)], check=True,
                                       capture_output=True, text=True).stdout
                name, version = shown.split()
                if kept is None or kept & contents(file):
                    expected.add(name)
                    self.assertEqual((named[name]["version"], named[name]["hashes"][0]["content"]), (version, digest(file)))
        self.assertEqual(set(named), expected)

    def test_crates(self) -> None:
        """As cargo tree names them."""
        lines = cargo("tree", "--locked", "--package", "countersign-agent", "--target", "s390x-unknown-linux-gnu", "--prefix", "none",
                      "--edges", "no-dev,no-build,no-proc-macro", "--format", "{p}")
        expected = {line.split()[0] for line in lines.splitlines() if line and "(/" not in line}
        self.assertEqual(set(self.components("cargo", "required")), expected)

    def test_notices(self) -> None:
        """Each package and crate of the image is named."""
        text = (self.folder / "THIRD-PARTY").read_text(encoding="utf-8")
        words = set(re.split(r"[,:\n]\s*", text))
        for component in (*self.components("deb", "required").values(), *self.components("cargo", "required").values()):
            title = f"{component['name']} {component['version']}"
            self.assertTrue(title in words or f"{title}\n" in text or f" {title}," in text, title)


def contents(file: Path) -> set[str]:
    """Paths of a package's files, as dpkg-deb lists them."""
    listed = subprocess.run(["dpkg-deb", "--contents", str(file)], check=True, capture_output=True, text=True).stdout
    paths = (line.split(" -> ")[0].split(None, 5)[5].removeprefix("./") for line in listed.splitlines() if line[0] != "d")
    return {MERGED.sub(r"usr/\1/", path) for path in paths}
