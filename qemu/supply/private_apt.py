"""A private apt for one architecture and a few suites: own sources, lists, state, preferences; the machine's apt is not
touched, its settings for the network hold. apt does what it is good at: it checks signatures against Debian's keyring
and resolves dependencies.

Beside the signed archives stands a local one of files that the lock vouches for and no index names any more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from .lock import Package
from .places import Mirror
from .report import Refusal, log, note
from .transport import time_out

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_CONFIGURATION = """\
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "{folder}/preferences";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "/dev/null";
Dir::State "{folder}";
Dir::State::Lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::State::extended_states "{folder}/extended_states";
Dir::Cache "{folder}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
APT::Architecture "{arch}";
#clear APT::Architectures;
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
"""

#: What apt says about an index that nobody trustworthy has signed. Warnings about the strength of a good signature are
#: not among them.
_UNSIGNED = re.compile(
    r"is not signed|no longer signed|NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|EXPSIG"
    r"|signature verification failed|signatures? (couldn't be|could not be|were) (verified|invalid)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Record:
    """One version of a package, as an index describes it."""

    name: str
    version: str
    architecture: str
    #: The source package and its version: what is built together belongs together.
    source: str
    path: str
    #: In bytes.
    size: int
    sha256: str

    @property
    def key(self) -> tuple[str, str, str]:
        """As `Package.key`."""
        return (self.architecture, self.name, self.version)

    def package(self, sets: tuple[str, ...]) -> Package:
        """The line of the lock. The pool of the security archive has a part of its own."""
        archive = "security" if self.path.startswith("pool/updates/") else "main"
        return Package(
            self.name, self.version, self.architecture, archive, None, self.path, self.size, self.sha256, sets
        )


class Unresolvable(Exception):
    """apt finds no way to have all packages; the text is apt's."""


class PrivateApt:
    """The private apt of one architecture and some suites, in a folder of the cache."""

    def __init__(self, cache: Path, arch: str, suites: tuple[str, ...], mirror: Mirror) -> None:
        self.arch, self.suites = arch, suites
        self.folder = cache / "apt" / f"lock-{suites[0]}-{arch}"
        self.keyring = os.environ.get("COUNTERSIGN_DEBIAN_KEYRING") or KEYRING
        if not os.access(self.keyring, os.R_OK):
            raise Refusal(f"{self.keyring} is missing: install debian-archive-keyring")
        for name in ("lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write("status", "")
        self._write("apt.conf", _CONFIGURATION.format(folder=self.folder, arch=arch))
        self.sources: list[str] = []
        for suite in suites:
            roots = mirror.security if suite.endswith("-security") else mirror.main
            if not roots:
                note(f"no archive is known for {suite}, the rest goes on; COUNTERSIGN_DEBIAN_SECURITY names one")
            self.sources += [f"deb [signed-by={self.keyring}] {root} {suite} main" for root in roots[:1]]
        #: (name, version) that is passed over, and why.
        self.pins: dict[tuple[str, str], str] = {}
        self._write("sources.list", "\n".join(self.sources) + "\n")
        self.pin({})

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [words[0], "-c", str(self.folder / "apt.conf"), *words[1:]]
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        log(" ".join(command), answer.stdout[-2000:] + answer.stderr)
        return answer

    def keep(self, files: list[tuple[Package, Path]]) -> None:
        """Offers these files beside the archives'. Nothing but the lock's digest vouches for them; the caller has
        checked it, and only therefore `trusted` is right here."""
        kept = self.folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        stanzas = []
        for package, file in files:
            # dpkg's own reading of the file's control data. The file itself is fetched by nobody from here.
            control = subprocess.run(["dpkg-deb", "--field", str(file)], capture_output=True, text=True, check=True).stdout
            stanzas.append(
                f"{control.rstrip()}\nFilename: {package.path}\nSize: {package.size}\nSHA256: {package.sha256}\n"
            )
        self._write("kept/Packages", "\n".join(stanzas))
        own = f"deb [trusted=yes] copy:{kept} ./\n"
        self._write("sources.list", "\n".join(self.sources) + "\n" + own)
        self._write("kept.list", own)
        only = ("-o", f"Dir::Etc::SourceList={self.folder}/kept.list", "-o", "APT::Get::List-Cleanup=false")
        answer = self._run("apt-get", "--quiet", *only, "update")
        if answer.returncode:
            raise Refusal(f"apt does not read {kept}/Packages: {answer.stderr.strip()}")

    def pin(self, pins: dict[tuple[str, str], str]) -> None:
        """Passes over these (name, version); the values say why."""
        self.pins.update(pins)
        self._write(
            "preferences",
            "".join(f"Package: {name}\nPin: version {version}\nPin-Priority: -1\n\n" for name, version in self.pins),
        )

    def update(self) -> None:
        """Fetches the indexes. One that is out of step is told and the rest goes on; one that is not signed is refused."""
        answer = self._run("apt-get", "--quiet", *time_out(), "update")
        said = [line for line in answer.stderr.splitlines() if line.startswith(("E: ", "W: "))]
        for line in said:
            if _UNSIGNED.search(line):
                raise Refusal(
                    f"an index for {self.arch} is not signed by a key of {self.keyring}, nothing of it is taken: {line[3:]} "
                    f"Look at what answers as the mirror; COUNTERSIGN_DEBIAN_MIRROR names another"
                )
        for line in dict.fromkeys(said):
            if match := re.match(r"[EW]: Failed to fetch (\S+) +(.*)", line):
                note(f"index out of step, the rest goes on: {match[1]}: {re.sub(r' .IP: .*', '', match[2])}")
            elif line.startswith("E: ") and "They have been ignored" not in line:
                note(f"index missing, the rest goes on: {line[3:]}")

    def resolve(self, words: tuple[str, ...]) -> list[tuple[str, str]]:
        """(name, version) of all that is needed to have these packages, no recommendations."""
        answer = self._run("apt-get", "--quiet", "--yes", "--print-uris", "install", *words)
        if answer.returncode:
            # Between its general remarks apt says what it lacks.
            _, _, unmet = answer.stdout.partition("unmet dependencies:\n")
            raise Unresolvable((unmet + answer.stderr).strip("\n"))
        names = re.findall(r"^'[^']*' ([^_ ]+)_([^_ ]+)_\S+ [0-9]+ ", answer.stdout, re.MULTILINE)
        return [(name, unquote(version)) for name, version in names]

    def records(self, words: list[str], *, every: bool = False) -> list[Record]:
        """What the indexes say of packages: the candidate, or every version. A word may be `name=version`."""
        if not words:
            return []
        answer = self._run("apt-cache", "show", "--all-versions" if every else "--no-all-versions", *words)
        return [_record(stanza) for stanza in answer.stdout.split("\n\n") if "\nFilename: " in stanza]

    def depends(self, name: str) -> list[str]:
        """The names that the candidate directly depends on."""
        answer = self._run("apt-cache", "depends", "--important", name)
        return re.findall(r"^ *\|?Depends: ([^<\s]\S*)$", answer.stdout, re.MULTILINE)

    def in_security(self, names: list[str]) -> set[tuple[str, str]]:
        """Those (name, version) that the index of a security archive names, wherever else they stand."""
        if not names:
            return set()
        lines = [line.split("|") for line in self._run("apt-cache", "madison", *names).stdout.splitlines()]
        return {(line[0].strip(), line[1].strip()) for line in lines if len(line) == 3 and "-security/" in line[2]}


def _record(stanza: str) -> Record:
    fields = dict(line.split(": ", 1) for line in stanza.splitlines() if re.match(r"[A-Za-z0-9-]+: ", line))
    source, _, version = fields.get("Source", fields["Package"]).partition(" ")
    return Record(
        fields["Package"], fields["Version"], fields["Architecture"], f"{source} {version.strip('()') or fields['Version']}",
        fields["Filename"].removeprefix("./"), int(fields["Size"]), fields["SHA256"],
    )  # fmt: skip


def newer(one: str, other: str) -> bool:
    """Whether the first version is the newer one, by dpkg's rules."""
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0
