#!/usr/bin/env bash
# Makes a folder an initramfs archive, the same bytes for the same contents.
#
#   archive FOLDER EPOCH            to standard output
#   pack FOLDER EPOCH OUT LEVEL     compressed with zstd at LEVEL
#
# newc, names in byte order, all files owned by root and dated EPOCH (seconds), inode numbers by order. The kernel takes
# several such archives one after the other; a later file replaces an earlier.
# Sourced; the caller has set -euo pipefail.

[[ -n ${COUNTERSIGN_ARCHIVE_SH:-} ]] && return 0
COUNTERSIGN_ARCHIVE_SH=1
# shellcheck source=qemu/lib/tools.sh
. "${BASH_SOURCE[0]%/*}/../qemu/lib/tools.sh"

ARCHIVE_CPIO=$(tool cpio)
ARCHIVE_ZSTD=$(tool zstd)

archive() (
  find "$1" -exec touch --no-dereference --date="@$2" {} +
  cd "$1" || exit
  # `sed` drops the line of the folder itself: the kernel has its own root.
  find . | sed -n 's,^\./,,p' | LC_ALL=C sort |
    "$ARCHIVE_CPIO" --quiet --create --format=newc --owner=0:0 --reproducible
)

pack() {
  archive "$1" "$2" | "$ARCHIVE_ZSTD" --quiet --threads=1 "-$4" --check --force -o "$3"
}
