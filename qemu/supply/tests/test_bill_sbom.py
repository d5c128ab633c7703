"""The bill of materials: by the published schema, and beside lists of other programs."""

import json
import re
import subprocess
from typing import Any

from supply.bill import material, sbom

from .bill_support import InFolder, cyclonedx_validator
from .test_bill_notices import KEPT, LINKED, gathered


class Sbom(InFolder):
    """Of the packages and crates of `gathered`."""

    def text(self, **changes: Any) -> str:
        """What is written."""
        found = material.load(self.folder / "material") if (self.folder / "material").exists() else gathered(self.folder)
        options: dict[str, Any] = {"image": "countersign-podman", "version": "0.1.0", "epoch": 1_700_000_000,
                                   "countersignd_sha256": "0f" * 32}
        return sbom.write(found, material.kept_packages(found, KEPT), **{**options, **changes})

    def components(self, kind: str) -> dict[str, Any]:
        """Those with a purl of that type, by name."""
        found = json.loads(self.text())["components"]
        return {component["name"]: component for component in found if component.get("purl", "").startswith(f"pkg:{kind}/")}

    def test_follows_the_schema(self) -> None:
        """And what does not follow it is told: the judge can refuse."""
        judge = cyclonedx_validator()
        whole = json.loads(self.text())
        self.assertEqual(whole["specVersion"], "1.6")
        judge.validate(whole)
        for index, change in enumerate(({"name": 7}, {"scope": "some"}, {"licenses": [{"license": {"id": "No-Such-Licence"}}]})):
            broken = json.loads(self.text())
            broken["components"][index].update(change)
            self.assertFalse(judge.is_valid(broken), change)

    def test_debian_packages_as_dpkg_deb_names_them(self) -> None:
        """Versions, architectures, digests, purls."""
        found = self.components("deb")
        self.assertEqual(set(found), {"libshared", "shared-utils", "libfree", "packer", "base-files"})
        for file in self.folder.glob("*/*.deb"):
            fields = subprocess.run(["dpkg-deb", "--showformat", "${Package} ${Version} ${Architecture}", "--show", str(file)],
                                    check=True, capture_output=True, text=True).stdout
            name, version, architecture = fields.split()
            if name == "left-out":
                continue
            digest = subprocess.run(["sha256sum", str(file)], check=True, capture_output=True, text=True).stdout[:64]
            self.assertEqual(found[name]["version"], version)
            self.assertEqual(found[name]["hashes"], [{"alg": "SHA-256", "content": digest}])
            encoded = version.replace("+", "%2B")
            self.assertEqual(found[name]["purl"], f"pkg:deb/debian/{name}@{encoded}?arch={architecture}&distro=debian-13")

    def test_scopes_parts_licences(self) -> None:
        """What is in the image and what only decided its bytes."""
        found = self.components("deb")
        self.assertEqual({name: component["scope"] for name, component in found.items()},
                         {"libshared": "required", "shared-utils": "required", "libfree": "required",
                          "packer": "excluded", "base-files": "excluded"})
        self.assertEqual(parts(found["libshared"]), ["guest-os", "initramfs"])
        self.assertEqual(parts(found["packer"]), ["build"])
        self.assertEqual(found["libshared"]["licenses"], [{"license": {"id": "MIT", "acknowledgement": "declared"}}])
        self.assertEqual(found["libfree"]["licenses"],
                         [{"license": {"name": "see the copyright file of libfree", "acknowledgement": "declared"}}])
        self.assertIn({"name": "countersign:built-using", "value": "golang-free (= 1-1)"}, found["libfree"]["properties"])
        self.assertIn({"name": "countersign:source-package", "value": "shared 2.0-1"}, found["shared-utils"]["properties"])

    def test_crates_as_cargo_tree_names_them(self) -> None:
        """Each line of the tree, and the macro."""
        found = self.components("cargo")
        linked = {(name, component["version"]) for name, component in found.items() if component["scope"] == "required"}
        self.assertEqual(linked, set(re.findall(r"^(\S+) v(\S+)$", LINKED, re.MULTILINE)))
        self.assertEqual(found["macro"]["scope"], "excluded")
        self.assertEqual(found["one"]["purl"], "pkg:cargo/one@1.0.0")
        self.assertEqual(found["one"]["licenses"], [{"expression": "MIT OR Apache-2.0", "acknowledgement": "declared"}])
        self.assertEqual(found["two"]["licenses"], [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}])

    def test_what_depends_on_what(self) -> None:
        """The image on its packages and countersignd, that on its crates; tools on nothing."""
        whole = json.loads(self.text())
        depends = {entry["ref"]: entry.get("dependsOn", []) for entry in whole["dependencies"]}
        self.assertEqual(depends["countersignd"], ["pkg:cargo/one@1.0.0", "pkg:cargo/two@2.0.0"])
        image = depends[whole["metadata"]["component"]["bom-ref"]]
        self.assertEqual([ref.split("@")[0] for ref in image],
                         ["countersignd", "pkg:deb/debian/libfree", "pkg:deb/debian/libshared", "pkg:deb/debian/shared-utils"])

    def test_same_inputs_same_bytes(self) -> None:
        """Time and number come from the inputs; another input gives another number."""
        first = self.text()
        self.assertEqual(self.text(), first)
        self.assertEqual(json.loads(first)["metadata"]["timestamp"], "2023-11-14T22:13:20+00:00")
        other = self.text(countersignd_sha256="1e" * 32)
        self.assertNotEqual(json.loads(other)["serialNumber"], json.loads(first)["serialNumber"])
        self.assertNotIn(str(self.folder), first)


def parts(component: dict[str, Any]) -> list[str]:
    """Where in the image it is."""
    return [entry["value"] for entry in component["properties"] if entry["name"] == "countersign:part"]
