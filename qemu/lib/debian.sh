#!/usr/bin/env bash
# Debian packages, exactly those of the lock, fetched and unpacked without touching the machine's own apt.
#
#   supply VERB ARG...                   the Python package qemu/supply, which reads and renews the lock
#   debian_lock                          prints the lock in use: $COUNTERSIGN_LOCK, else qemu/debian.lock
#   debian_ensure SET...                 all files of these sets are in the cache, or the lock is renewed into the cache
#                                        and COUNTERSIGN_LOCK names it: for what tests or shows, not for what ships
#   debian_fetch SET...                  all files of these sets are in the cache, or it ends here; debian_set is quick then
#   debian_set SET                       prints a folder with the *.deb of a set of qemu/debian.sets and `packages.lock`
#   debian_unpack FOLDER TARGET [PACKAGE...]  unpack all of a set, or these packages of it
#
# Packages are only unpacked: no maintainer script runs, nothing is emulated, nothing is resolved. Where a file is looked
# for is said in qemu/supply/README.md.

[[ -n ${COUNTERSIGN_DEBIAN_SH:-} ]] && return 0
COUNTERSIGN_DEBIAN_SH=1
# shellcheck source=qemu/lib/cache.sh
. "${BASH_SOURCE[0]%/*}/cache.sh"

DEBIAN_QEMU=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)

supply() {
  local root
  root=$(cache_root)
  # Python's own cache of compiled files goes beside the others: the checkout stays as it is. Whoever forbids Python to
  # keep any means the checkout too; without them each call costs a quarter of a second more.
  PYTHONPATH=$DEBIAN_QEMU PYTHONDONTWRITEBYTECODE='' PYTHONPYCACHEPREFIX=$root/pycache COUNTERSIGN_CACHE=$root \
    /usr/bin/python3 -S -m supply "$@"
}

debian_lock() { printf '%s\n' "${COUNTERSIGN_LOCK:-$DEBIAN_QEMU/debian.lock}"; }

debian_ensure() {
  COUNTERSIGN_LOCK=$(supply ensure --renew "$@")
  export COUNTERSIGN_LOCK
}

# Folders of sets, known since debian_fetch; a subshell inherits them.
declare -A DEBIAN_FOLDERS

debian_fetch() {
  local found folders=() set
  found=$(supply fetch "$@")
  mapfile -t folders <<<"$found"
  for set; do
    DEBIAN_FOLDERS[$set]=${folders[0]}
    folders=("${folders[@]:1}")
  done
}

debian_set() {
  if [[ -n ${DEBIAN_FOLDERS[$1]:-} ]]; then printf '%s\n' "${DEBIAN_FOLDERS[$1]}"; else supply fetch "$1"; fi
}

debian_unpack() {
  local folder=$1 target=$2 file package
  local files=("$folder"/*.deb)
  shift 2
  if (($#)); then
    files=()
    for package; do files+=("$folder/${package}"_*.deb); done
  fi
  # Debian has /bin, /lib and /sbin inside /usr; a package that still ships a file under the old names
  # must land there as well. dpkg-deb --extract would replace the links by folders.
  mkdir -p "$target"/usr/{bin,lib,lib64,sbin}
  for file in bin lib lib64 sbin; do ln -sfn "usr/$file" "$target/$file"; done
  for file in "${files[@]}"; do
    dpkg-deb --fsys-tarfile "$file" |
      tar --extract --directory "$target" --keep-directory-symlink --no-same-owner --preserve-permissions
  done
}
