#!/usr/bin/env bash
# Packs a folder as an initramfs archive, the same bytes for the same contents.
#
#   pack FOLDER EPOCH OUT LEVEL
#
# newc, names in byte order, all files owned by root and dated EPOCH (seconds), inode numbers by order, compressed
# with zstd at LEVEL. The kernel takes several such archives one after the other; a later file replaces an earlier.
# Sourced; the caller has set -euo pipefail.

[[ -n ${COUNTERSIGN_ARCHIVE_SH:-} ]] && return 0
COUNTERSIGN_ARCHIVE_SH=1

pack() {
  local folder=$1 epoch=$2 out=$3 level=$4
  find "$folder" -exec touch --no-dereference --date="@$epoch" {} +
  (
    cd "$folder" || exit
    # `sed` drops the line of the folder itself: the kernel has its own root.
    find . | sed -n 's,^\./,,p' | LC_ALL=C sort |
      cpio --quiet --create --format=newc --owner=0:0 --reproducible
  ) | zstd --quiet --threads=1 "-$level" --check --force -o "$out"
}
