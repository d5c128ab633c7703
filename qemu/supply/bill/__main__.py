"""The verbs, for `qemu/lib/bill.sh`: `PYTHONPATH=qemu python3 -m supply.bill VERB …`, each with `--help`."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

from ..report import Refusal, note
from . import crates, manifest, material, notices


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="supply.bill", description="What an image is made of.")
    verbs = parser.add_subparsers(dest="verb", required=True)

    gather = verbs.add_parser("gather", help="reads packages and crates into a folder")
    gather.add_argument("--set", action="append", required=True, metavar="PART=DISTRIBUTION=FOLDER",
                        help='a set\'s folder, the part of the image that it makes up or "build", and its release (debian-13)')
    gather.add_argument("--metadata", type=Path, required=True, help="output of cargo metadata")
    gather.add_argument("--cargo-lock", type=Path, required=True)
    gather.add_argument("--linked", type=Path, required=True, help="cargo tree without macros and build scripts")
    gather.add_argument("--built", type=Path, required=True, help="cargo tree with them")
    gather.add_argument("--kept", type=Path, required=True, help="folder that keeps what is read from each package")
    gather.add_argument("out", type=Path)

    text = verbs.add_parser("notices", help="writes the notices of others' work")
    text.add_argument("--part", action="append", default=[],
                      help="of the Debian packages only those of this part, for a text beside a part of the image")
    bill = verbs.add_parser("sbom", help="writes the bill of materials")
    for verb in (text, bill):
        verb.add_argument("--files", action="append", default=[], metavar="PART=LIST",
                          help="paths of a part's packages that are in the image; without a list all are")
        verb.add_argument("material", type=Path, help="what gather wrote")
        verb.add_argument("out", type=Path)
    bill.add_argument("--image", required=True, help="name of the image")
    bill.add_argument("--version", required=True)
    bill.add_argument("--epoch", type=int, required=True)
    bill.add_argument("--countersignd", type=Path, required=True)

    build = verbs.add_parser("manifest", help="writes the build manifest")
    build.add_argument("--repository", type=Path, required=True)
    build.add_argument("--engine", required=True)
    build.add_argument("--version", required=True)
    build.add_argument("--epoch", type=int, required=True)
    build.add_argument("--lock", type=Path, required=True)
    build.add_argument("--lock-state", choices=manifest.LOCK_STATES, required=True)
    for name in ("kernel", "initramfs", "os-image", "image-json", "countersignd", "sbom", "notices"):
        build.add_argument(f"--{name}", type=Path, required=True)
    build.add_argument("--countersignd-given", action="store_true", help="the program was not built from these sources")
    build.add_argument("--tools", type=Path, action="append", required=True, help="folder of a set with compilers or packers")
    build.add_argument("out", type=Path)
    return parser


def words(text: str, count: int) -> list[str]:
    """The parts of a value joined by "="; the last may hold more of them."""
    found = text.split("=", count - 1)
    if len(found) != count or not all(found):
        raise Refusal(f"{text!r} is not {'='.join(['…'] * count)}")
    return found


def put(path: Path, text: str) -> None:
    """Writes a result whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def inside(options: argparse.Namespace, found: material.Material) -> set[tuple[str, str]]:
    """Packages of which the image has a file."""
    lists = {}
    for word in options.files:
        part, path = words(word, 2)
        lists[part] = Path(path).read_text(encoding="utf-8").splitlines()
    return material.kept_packages(found, lists)


def gather(options: argparse.Namespace) -> None:
    """Verb gather."""
    sets = []
    for word in options.set:
        part, distribution, folder = words(word, 3)
        sets.append(material.SetFolder(part, Path(folder), distribution))
    files = [path.read_text(encoding="utf-8") for path in (options.metadata, options.cargo_lock, options.linked, options.built)]
    found = material.gather(sets, crates.read(*files), options.kept, options.out)
    linked = sum(crate.linked for crate in found.crates)
    note(f"{len(found.packages)} Debian packages, {linked} crates linked, {len(found.crates) - linked} more to build them")


def write_sbom(options: argparse.Namespace) -> None:
    """Verb sbom."""
    # Only here: the library is not the machine's, and costs a second to load.
    try:
        from . import sbom
    except ImportError as error:
        raise Refusal(f"{error}: put the unpacked set `sbom` on PYTHONPATH (usr/lib/python3/dist-packages)") from error
    found = material.load(options.material)
    digest = hashlib.sha256(options.countersignd.read_bytes()).hexdigest()
    put(options.out, sbom.write(found, inside(options, found), image=options.image, version=options.version,
                                epoch=options.epoch, countersignd_sha256=digest))


def write_notices(options: argparse.Namespace) -> None:
    """Verb notices."""
    found = material.load(options.material)
    wanted = {(part, name) for part, name in inside(options, found) if part in options.part or not options.part}
    put(options.out, notices.write(found, wanted, notices.reader(options.material)))


def write_manifest(options: argparse.Namespace) -> None:
    """Verb manifest."""
    names = ("kernel", "initramfs", "os_image", "image_json", "countersignd", "sbom", "notices")
    put(options.out, manifest.write(manifest.Build(
        repository=options.repository,
        engine=options.engine,
        version=options.version,
        epoch=options.epoch,
        lock=options.lock,
        lock_state=options.lock_state,
        files={name: getattr(options, name) for name in names},
        countersignd_built=not options.countersignd_given,
        tools=options.tools,
    )))


VERBS = {"gather": gather, "sbom": write_sbom, "notices": write_notices, "manifest": write_manifest}


def main() -> int:
    """Runs one verb and says what went wrong."""
    options = arguments().parse_args()
    try:
        VERBS[options.verb](options)
    except Refusal as refusal:
        print(f"{os.environ.get('COUNTERSIGN_COMMAND', 'supply.bill')}: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{os.environ.get('COUNTERSIGN_COMMAND', 'supply.bill')}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
