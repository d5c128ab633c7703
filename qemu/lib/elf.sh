#!/usr/bin/env bash
# Which shared libraries do programs of another architecture need? Read from their ELF headers; nothing is run.
#
#   needed_libraries FILE...           prints the names (NEEDED entries), each once
#   elf_files FOLDER                   prints the ELF files below FOLDER, by their first bytes
#   copy_libraries FILE FROM ROOT      copies the libraries that FILE needs, and those that these need, from the tree FROM
#                                      to the same place below ROOT, where they are not there yet
#
# Sourced; the caller has set -euo pipefail.

[[ -n ${COUNTERSIGN_ELF_SH:-} ]] && return 0
COUNTERSIGN_ELF_SH=1
# shellcheck source=qemu/lib/tools.sh
. "${BASH_SOURCE[0]%/*}/tools.sh"

GUEST_LIBRARIES=usr/lib/s390x-linux-gnu
READELF=$(tool readelf)

needed_libraries() {
  # A static program has no dynamic section: no entries, no error.
  "$READELF" --dynamic --wide "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort -u
}

elf_files() {
  # grep reports a file once its first line matches; the magic stands at offset 0.
  find "$1" -type f -size +0 -print0 | LC_ALL=C xargs -0r grep --files-with-matches --max-count=1 --text --perl-regexp \
    '\A\x7fELF' || true
}

copy_libraries() {
  local name library file=$1 from=$2 root=$3
  while read -r name; do
    # The loader lies elsewhere; libraries name it as well.
    [[ $name != ld64.so.1 && ! -e $root/$GUEST_LIBRARIES/$name ]] || continue
    library=$from/$GUEST_LIBRARIES/$name
    [[ -f $library ]] || die "library $name, needed by $(basename "$file"), is in no package of the set"
    install -D --mode=755 "$(realpath "$library")" "$root/$GUEST_LIBRARIES/$name"
    copy_libraries "$library" "$from" "$root"
  done < <(needed_libraries "$file")
}
