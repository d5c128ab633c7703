"""A small Debian archive: packages by dpkg-deb, signatures by gpg, served on loopback by a server that can misbehave.

Also the one way in which all tests run a verb: as the scripts do, in a process of its own.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

QEMU = Path(__file__).resolve().parents[2]

#: What one request is answered with, instead of the file.
Answer = Callable[["Handler"], None]


@dataclass(frozen=True)
class Deb:
    """One package of the archive."""

    name: str
    version: str
    arch: str
    archive: str
    path: str
    content: bytes
    control: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def stanza(self) -> str:
        """What an index says of it."""
        where = f"Filename: {self.path}\nSize: {len(self.content)}\nSHA256: {self.sha256}\n"
        return f"{self.control}{where}Description: made by a test\n"

    def line(self, *sets: str, moment: str = "") -> str:
        """The line of a lock, written by hand."""
        archive = f"{self.archive}@{moment}" if moment else self.archive
        return f"{self.name} {self.version} {self.arch} {archive} {self.path} {len(self.content)} {self.sha256} {','.join(sets)}\n"


@cache
def _keys() -> Path:
    """A folder with the keyring `right.gpg` and the homes of two keys, `right` and `foreign`; made once a run."""
    folder = Path(tempfile.mkdtemp(prefix="supply-keys-"))
    for who in ("right", "foreign"):
        home = folder / who
        home.mkdir(mode=0o700)
        _gpg(who, folder, "--passphrase", "", "--quick-gen-key", f"{who} <{who}@example.org>", "ed25519", "sign", "never")
    (folder / "right.gpg").write_bytes(_gpg("right", folder, "--export"))
    atexit.register(_forget, folder)
    return folder


def _forget(folder: Path) -> None:
    for who in ("right", "foreign"):
        subprocess.run(["gpgconf", "--homedir", str(folder / who), "--kill", "all"], check=False)
    shutil.rmtree(folder)


def _gpg(who: str, folder: Path, *words: str, given: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(folder / who), "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", *words]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


class Handler(BaseHTTPRequestHandler):
    """Serves the archive's folder, unless the test wants something else."""

    server: Server

    def do_GET(self) -> None:
        """One request."""
        self.server.asked.append(self.path)
        for part, answer in self.server.answers.items():
            if part in self.path:
                answer(self)
                return
        self.give_file()

    def give_file(self) -> None:
        """The file of that path."""
        file = self.server.folder / unquote(self.path).lstrip("/")
        if file.is_file():
            self.give(file.read_bytes())
        else:
            self.send_error(404)

    def give(self, content: bytes, *, length: int | None = None) -> None:
        """A good answer; another length than the content's makes it a truncated one."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at `asked`."""


class Server(ThreadingHTTPServer):
    """On a free port of loopback."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        #: Paths, in order.
        self.asked: list[str] = []
        #: By a part of the path.
        self.answers: dict[str, Answer] = {}

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


@dataclass
class Archive:
    """`debian` and `debian-security` below one folder; a suite's index is whatever `publish` was told."""

    folder: Path
    debs: list[Deb] = field(default_factory=list)

    def add(
        self, name: str, version: str, *, arch: str = "amd64", depends: str = "", archive: str = "main", source: str = "",
        data: bytes = b"",
    ) -> Deb:  # fmt: skip
        """Builds a package and puts it into the pool. `data` makes it large."""
        pool = {"main": "pool/main", "security": "pool/updates/main"}[archive]
        plain = version.partition(":")[2] or version
        path = f"{pool}/{name[0]}/{name}/{name}_{plain}_{arch}.deb"
        control = f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: nobody <nobody@example.org>\n"
        control += f"Source: {source}\n" if source else ""
        control += f"Depends: {depends}\n" if depends else ""
        target = self.file(archive, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as work:
            tree = Path(work)
            (tree / "DEBIAN").mkdir()
            (tree / "DEBIAN/control").write_text(f"{control}Description: made by a test\n")
            (tree / "data").write_bytes(data or f"{name} {version}".encode())
            command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", work, str(target)]
            subprocess.run(command, check=True, capture_output=True)
        deb = Deb(name, version, arch, archive, path, target.read_bytes(), control)
        self.debs.append(deb)
        return deb

    def file(self, archive: str, path: str) -> Path:
        """Where a path of an archive lies."""
        return self.folder / {"main": "debian", "security": "debian-security"}[archive] / path

    def gone(self, deb: Deb) -> None:
        """The pool loses the file; the index still names it."""
        self.file(deb.archive, deb.path).unlink()

    def publish(self, suite: str, debs: list[Deb], *, signed_by: str | None = "right") -> None:
        """Writes and signs the indexes of a suite, one for each architecture."""
        archive = "security" if suite.endswith("-security") else "main"
        folder = self.file(archive, f"dists/{suite}")
        digests = ""
        for arch in ("amd64", "s390x"):
            packages = "\n".join(deb.stanza() for deb in debs if deb.arch in (arch, "all")).encode()
            index = folder / f"main/binary-{arch}/Packages"
            index.parent.mkdir(parents=True, exist_ok=True)
            index.write_bytes(packages)
            digests += f" {hashlib.sha256(packages).hexdigest()} {len(packages)} {index.relative_to(folder)}\n"
        now = datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S UTC")
        release = (
            f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\nDate: {now}\n"
            f"Architectures: amd64 s390x\nComponents: main\nSHA256:\n{digests}"
        ).encode()
        for old in ("InRelease", "Release"):
            (folder / old).unlink(missing_ok=True)
        if signed_by is None:
            (folder / "Release").write_bytes(release)
        else:
            (folder / "InRelease").write_bytes(_gpg(signed_by, _keys(), "--clearsign", given=release))


class Case(unittest.TestCase):
    """An archive, a server, a cache and a lock, all in a folder of the test's own."""

    maxDiff = None

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="supply-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.archive = Archive(self.folder / "archive")
        self.archive.folder.mkdir()
        self.cache = self.folder / "cache"
        self.lock = self.folder / "debian.lock"
        self.sets = self.folder / "debian.sets"
        self.sets.write_text("[one]\narch = amd64\nkind = set\npackages = alpha\n")
        self.server = Server(self.archive.folder)
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(self._stop, thread)
        # Nothing of the machine's own apt: neither its proxies nor its retries.
        apt = self.folder / "apt.conf"
        apt.write_text(
            'Dir::Etc::main "/dev/null";\nDir::Etc::parts "/dev/null";\nAcquire::Retries "0";\n'
            'Acquire::http::Timeout "600";\nAcquire::http::Proxy "DIRECT";\n'
        )
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "APT_CONFIG": str(apt),
            "COUNTERSIGN_CACHE": str(self.cache),
            "COUNTERSIGN_LOCK": str(self.lock),
            "COUNTERSIGN_SETS": str(self.sets),
            "COUNTERSIGN_DEBIAN_MIRROR": f"{self.server.root}/debian",
            "COUNTERSIGN_DEBIAN_SECURITY": f"{self.server.root}/debian-security",
            "PYTHONPATH": str(QEMU),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _stop(self, thread: threading.Thread) -> None:
        self.server.shutdown()
        self.server.server_close()
        thread.join()

    def keyring(self) -> None:
        """From now on the archive's own key is the one to trust."""
        self.environment["COUNTERSIGN_DEBIAN_KEYRING"] = str(_keys() / "right.gpg")

    def write_lock(self, *lines: str, moment: str = "20260102T030405Z") -> None:
        """A lock of these lines, in their order."""
        self.lock.write_text(f"# by a test\nformat 1\nsnapshot {moment}\n{''.join(lines)}")

    def start(self, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """A verb that runs; `before` are words of a command that starts it."""
        return subprocess.Popen(
            [*before, sys.executable, "-S", "-m", "supply", *words],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def verb(self, *words: str, status: int = 0) -> tuple[str, str]:
        """What a verb prints on standard output and standard error."""
        process = self.start(*words)
        out, err = process.communicate()
        self.assertEqual(process.returncode, status, err)
        return out, err
