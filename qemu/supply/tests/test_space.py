"""No disk space, for real: the cache on a small file system in a mount namespace of its own."""

from __future__ import annotations

import os
import unittest
from pathlib import Path

from .archive import Case, Handler

SIZE = 1 << 20


class Space(Case):
    """A cache of 1 MiB."""

    def setUp(self) -> None:
        super().setUp()
        self.cache.mkdir()
        script = f"mount -t tmpfs -o size={SIZE} tmpfs '{self.cache}'; s=0; \"$@\" || s=$?; umount '{self.cache}'; exit $s"
        # Root needs no user namespace, and below a chroot may not make one; there `/` may not be a mount either.
        user = () if os.geteuid() == 0 else ("--map-root-user",)
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="ascii").splitlines()]
        kind = "private" if "/" in mounts else "unchanged"
        self.inside = ("unshare", *user, "--mount", "--propagation", kind, "sh", "-ec", script, "sh")

    def refused(self, size: str) -> None:
        """Starts the fetch and says what it must say."""
        self.process = self.start("fetch", "one", before=self.inside)
        out, err = self.process.communicate()
        self.assertEqual((self.process.returncode, out), (1, ""), err)
        self.assertRegex(
            err,
            f"supply: no space in {self.cache}: packages of {size} are to be fetched, [0-9.]+ [MK]?i?B are free. Make room "
            f"there, or set COUNTERSIGN_CACHE to a folder that has it\n$",
        )

    def test_too_little_from_the_start(self) -> None:
        alpha = self.archive.add("alpha", "1", data=os.urandom(2 * SIZE))
        self.write_lock(alpha.line("one"))
        self.refused("2.0 MiB")
        self.assertEqual(self.server.asked, [])

    def test_another_takes_it_meanwhile(self) -> None:
        alpha = self.archive.add("alpha", "1", data=os.urandom(SIZE // 2))
        self.write_lock(alpha.line("one"))

        def fill(handler: Handler) -> None:
            with open(f"/proc/{self.process.pid}/root{self.cache}/filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(bytes(4096))
                except OSError:
                    pass
            handler.give(alpha.content)

        self.server.answers["/debian/"] = fill
        self.refused("[0-9.]+ KiB")
        self.assertEqual(len(self.server.asked), 1)


if __name__ == "__main__":
    unittest.main()
