"""`qemu/lib/packages.sh` where packages are missing and nobody may install them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2] / "lib"


class NoRootAndNoSudo(unittest.TestCase):
    def test_the_refusal_says_what_would_have_been_installed(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        programs, sources = folder / "bin", folder / "lib"
        programs.mkdir()
        shutil.copytree(LIBRARY, sources)
        for name in ("bash", "mkdir", "find", "date", "basename", "sed", "head", "dpkg-query", "apt-get", "apt-cache", "grep", "awk", "wc"):
            found = shutil.which(name)
            assert found, name
            (programs / name).symlink_to(os.path.realpath(found))
        text = ". lib/packages.sh; host_package_list() { echo 'a-package-that-is-nowhere  # a reason'; }; host_packages build"
        done = subprocess.run(
            ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", programs / "bash", "-euc", text],
            cwd=folder, env={"PATH": str(programs), "HOME": "/nonexistent", "COUNTERSIGN_CACHE": "/tmp/countersign-nobody"},
            capture_output=True, text=True, check=False,
        )
        self.addCleanup(shutil.rmtree, "/tmp/countersign-nobody", ignore_errors=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("to install a-package-that-is-nowhere, you have to be root or sudo has to be installed", done.stderr)


if __name__ == "__main__":
    unittest.main()
