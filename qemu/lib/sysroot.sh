#!/usr/bin/env bash
# The s390x sysroot that countersignd is linked against: headers and libraries of the guest's own Debian.
#
#   sysroot_s390x          prints the folder; built once per version of the packages
#   sysroot_run CMD...     run an s390x program with the sysroot's libraries under user-mode emulation

[[ -n ${COUNTERSIGN_SYSROOT_SH:-} ]] && return 0
COUNTERSIGN_SYSROOT_SH=1
# shellcheck source=qemu/lib/debian.sh
. "${BASH_SOURCE[0]%/*}/debian.sh"

sysroot_build() {
  local debs=$1 target=$2 link
  quiet "unpacking the s390x sysroot" debian_unpack "$debs" "$target"
  # Absolute links would lead into the machine's own files.
  while read -r link; do
    ln -sfn "$(realpath --canonicalize-missing --no-symlinks --relative-to="$(dirname "$target$link")" \
      "$target$(readlink "$target$link")")" "$target$link"
  done < <(find "$target" -type l -lname '/*' -printf '/%P\n')
  rm -rf "$target"/usr/share/{doc,man,locale}
  note "sysroot: $(size_of "$target")"
}

sysroot_s390x() {
  local debs
  debs=$(debian_set sysroot)
  cached sysroot "@$debs/packages.lock" "@${BASH_SOURCE[0]}" -- sysroot_build "$debs"
}

sysroot_run() {
  local root
  root=$(sysroot_s390x)
  QEMU_LD_PREFIX=$root qemu-s390x-static -E "LD_LIBRARY_PATH=$root/usr/lib/s390x-linux-gnu" "$@"
}
