"""The build manifest, by its verb."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from supply.bill.manifest import TOOLS

from .bill_support import REPOSITORY, InFolder, manifest_validator

ROOT_HASH = "5a" * 64


class Manifest(InFolder):
    """Of files made for the purpose."""

    def make(self, folder: Path) -> list[str]:
        """A repository with a commit, products and tools; the options that name them."""
        repository = folder / "repository"
        repository.mkdir(parents=True)
        (repository / "Cargo.lock").write_text("crates", encoding="utf-8")
        git = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", "-C", str(repository)]
        environment = {"GIT_AUTHOR_DATE": "@1 +0000", "GIT_COMMITTER_DATE": "@1 +0000", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
            subprocess.run([*git, *words], check=True, env=environment)
        options = ["--repository", str(repository)]
        for name in ("kernel", "initramfs", "os-image", "countersignd", "sbom", "notices", "lock"):
            (folder / name).write_text(name, encoding="utf-8")
            options += [f"--{name}", str(folder / name)]
        (folder / "image.json").write_text(json.dumps({"root": {"root_hash": ROOT_HASH}}), encoding="utf-8")
        (folder / "tools").mkdir()
        lines = [f"{tool} 1.0-1 amd64 {hashlib.sha256(tool.encode()).hexdigest()}\n" for tool in (*TOOLS, "libc6")]
        (folder / "tools/packages.lock").write_text("".join(lines), encoding="utf-8")
        return [*options, "--image-json", str(folder / "image.json"), "--tools", str(folder / "tools"), "--engine", "podman",
                "--version", "0.1.0", "--epoch", "1700000000", "--lock-state", "committed"]

    def run_verb(self, options: list[str], status: int = 0) -> str:
        """Runs the verb; what it wrote, or said when it failed."""
        out = self.folder / "out.json"
        done = subprocess.run([sys.executable, "-m", "supply.bill", "manifest", *options, str(out)], cwd=REPOSITORY / "qemu",
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return out.read_text(encoding="utf-8") if status == 0 else done.stderr

    def read(self, options: list[str]) -> Any:
        """The manifest, which follows its schema."""
        found = json.loads(self.run_verb(options))
        manifest_validator().validate(found)
        return found

    def test_names_everything(self) -> None:
        """Digests as sha256sum makes them."""
        found = self.read(self.make(self.folder))
        files = {"kernel": "kernel", "initramfs": "initramfs", "os_image": "os-image", "countersignd": "countersignd",
                 "sbom": "sbom", "notices": "notices", "image_json": "image.json"}
        self.assertEqual(set(found["files"]), set(files))
        for name, path in files.items():
            self.assertEqual(found["files"][name]["sha256"], digest(self.folder / path), name)
            self.assertEqual((found["files"][name]["name"], found["files"][name]["size"]),
                             (path, (self.folder / path).stat().st_size))
        self.assertEqual(found["lock"], {"state": "committed", "sha256": digest(self.folder / "lock")})
        self.assertEqual(found["cargo_lock"], {"sha256": digest(self.folder / "repository/Cargo.lock")})
        self.assertEqual(found["root_hash"], ROOT_HASH)
        self.assertEqual([tool["package"] for tool in found["tools"]], list(TOOLS))
        self.assertTrue(found["files"]["countersignd"]["built"])
        revision = subprocess.run(["git", "-C", str(self.folder / "repository"), "rev-parse", "HEAD"], check=True,
                                  capture_output=True, text=True).stdout.strip()
        self.assertEqual(found["source"], {"revision": revision, "dirty": False})

    def test_same_inputs_same_bytes(self) -> None:
        """In another folder, at another time."""
        first = self.run_verb(self.make(self.folder / "a"))
        self.assertEqual(self.run_verb(self.make(self.folder / "another/much/longer")), first)
        self.assertNotIn(str(self.folder), first)

    def test_altered_and_new_files_make_it_dirty(self) -> None:
        """A file of the commit, or one that is not in it."""
        options = self.make(self.folder)
        repository = self.folder / "repository"
        (repository / "new").write_text("", encoding="utf-8")
        self.assertIs(self.read(options)["source"]["dirty"], True)
        (repository / "new").unlink()
        self.assertIs(self.read(options)["source"]["dirty"], False)
        (repository / "Cargo.lock").write_text("others", encoding="utf-8")
        self.assertIs(self.read(options)["source"]["dirty"], True)

    def test_no_git(self) -> None:
        """An unpacked archive of the sources has no commit, and says so."""
        options = self.make(self.folder)
        subprocess.run(["rm", "-r", str(self.folder / "repository/.git")], check=True)
        self.assertEqual(self.read(options)["source"], {"revision": None, "dirty": None})

    def test_renewed_and_given(self) -> None:
        """A lock that was renewed, a program that was handed in."""
        found = self.read([*self.make(self.folder), "--lock-state", "renewed", "--countersignd-given"])
        self.assertEqual((found["lock"]["state"], found["files"]["countersignd"]["built"]), ("renewed", False))

    def test_refusals(self) -> None:
        """A product that is missing, an image.json of another form, a tool in no set."""
        options = self.make(self.folder)
        (self.folder / "kernel").rename(self.folder / "away")
        self.assertIn(f"supply.bill: {self.folder}/kernel cannot be read (No such file or directory): the manifest needs its digest",
                      self.run_verb(options, 1))
        (self.folder / "away").rename(self.folder / "kernel")
        (self.folder / "image.json").write_text("{}", encoding="utf-8")
        self.assertIn(f"supply.bill: {self.folder}/image.json has no root hash: KeyError('root'); qemu/guest/build writes it",
                      self.run_verb(options, 1))
        (self.folder / "image.json").write_text(json.dumps({"root": {"root_hash": ROOT_HASH}}), encoding="utf-8")
        listing = (self.folder / "tools/packages.lock").read_text(encoding="utf-8")
        (self.folder / "tools/packages.lock").write_text(listing.replace("zstd ", "zst "), encoding="utf-8")
        self.assertIn("supply.bill: zstd: in none of the tools' sets", self.run_verb(options, 1))

    def test_the_schema_can_refuse(self) -> None:
        """Broken in one place at a time."""
        whole = self.read(self.make(self.folder))
        for place, value in (("root_hash", "5a"), ("lock", {"state": "guessed", "sha256": "0" * 64}), ("tools", []), ("when", 1)):
            self.assertFalse(manifest_validator().is_valid({**whole, place: value}), place)


def digest(path: Path) -> str:
    """By another program."""
    return subprocess.run(["sha256sum", str(path)], check=True, capture_output=True, text=True).stdout[:64]
