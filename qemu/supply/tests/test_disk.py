"""The disk's table before sfdisk and sgdisk, and what lies where."""

from __future__ import annotations

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from supply import disk

HASH = bytes(range(64))


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Disk(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.bootmap = self.folder / "bootmap"
        self.bootmap.write_bytes(b"zIPL" + b"m" * (3 << 20))
        self.os_image = self.folder / "os.img"
        self.os_image.write_bytes(b"o" * 4096 + bytes(1 << 20) + b"e" * 4096)
        self.image_json = self.folder / "image.json"
        self.image_json.write_text(json.dumps({"root": {"root_hash": HASH.hex()}}))
        self.record = self.folder / "record"
        self.record.write_bytes(b"zIPL" + b"r" * 436 + bytes(70) + b"\x55\xaa")

    def made(self, name: str = "disk") -> Path:
        out = self.folder / name
        inputs = [self.record, self.bootmap, self.os_image, self.image_json, out]
        self.assertEqual(disk.main([str(path) for path in inputs]), 0)
        return out

    def test_other_programs_read_the_table(self) -> None:
        out = self.made()
        self.assertIn("No problems found", said("/usr/sbin/sgdisk", "--verify", str(out)))
        table = json.loads(said("/usr/sbin/sfdisk", "--json", str(out)))["partitiontable"]
        self.assertEqual((table["label"], table["sectorsize"]), ("gpt", 512))
        self.assertEqual(table["id"].lower(), "10111213-1415-1617-1819-1a1b1c1d1e1f")
        boot, guest_os = table["partitions"]
        self.assertEqual((boot["name"], boot["start"], boot["size"]), ("boot", 2048, 4 * 2048))
        self.assertEqual((guest_os["name"], guest_os["start"]), ("os", 5 * 2048))
        # As systemd names the partition of a root hash.
        self.assertEqual(guest_os["uuid"].lower(), "00010203-0405-0607-0809-0a0b0c0d0e0f")

    def test_everything_lies_where_it_is_looked_for(self) -> None:
        found = self.made().read_bytes()
        self.assertEqual(found[:440], self.record.read_bytes()[:440])
        bootmap, guest_os = self.bootmap.read_bytes(), self.os_image.read_bytes()
        self.assertEqual(found[disk.FIRST : disk.FIRST + disk.MAP_AT], bytes(disk.MAP_AT))
        at = disk.FIRST + disk.MAP_AT
        self.assertEqual(found[at : at + len(bootmap)], bootmap)
        self.assertEqual(found[5 << 20 : (5 << 20) + len(guest_os)], guest_os)

    def test_same_inputs_same_bytes(self) -> None:
        self.assertEqual(self.made("one").read_bytes(), self.made("two").read_bytes())

    def test_a_record_that_is_not_zipls_is_refused(self) -> None:
        self.record.write_bytes(bytes(510) + b"\x55\xaa")
        inputs = [self.record, self.bootmap, self.os_image, self.image_json, self.folder / "disk"]
        self.assertEqual(disk.main([str(path) for path in inputs]), 1)
        self.record.write_bytes(b"zIPL" + bytes(506) + b"\x55\xaa")
        self.image_json.write_text(json.dumps({"root": {"root_hash": "00ff"}}))
        self.assertEqual(disk.main([str(path) for path in inputs]), 1)


if __name__ == "__main__":
    unittest.main()
