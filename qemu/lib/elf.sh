#!/usr/bin/env bash
# Which shared libraries do programs of another architecture need? Read from their ELF headers; nothing is run.
#
#   needed_libraries FILE...   prints the names (NEEDED entries), each once
#   elf_files FOLDER           prints the ELF files below FOLDER, by their first bytes
#
# Sourced; the caller has set -euo pipefail.

[[ -n ${COUNTERSIGN_ELF_SH:-} ]] && return 0
COUNTERSIGN_ELF_SH=1

needed_libraries() {
  # A static program has no dynamic section: no entries, no error.
  readelf --dynamic --wide "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort -u
}

elf_files() {
  # grep reports a file once its first line matches; the magic stands at offset 0.
  find "$1" -type f -size +0 -print0 | LC_ALL=C xargs -0r grep --files-with-matches --max-count=1 --text --perl-regexp \
    '\A\x7fELF' || true
}
