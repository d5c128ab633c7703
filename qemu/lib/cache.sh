#!/usr/bin/env bash
# What is built or downloaded is kept outside the checkout and found again by its inputs.
#
#   cache_root                          the folder, created: $COUNTERSIGN_CACHE, else the user's cache folder
#   cached NAME INPUT... -- CMD ARG...  prints the folder of the result
#   cache_path NAME INPUT...            prints where that folder is or would be
#
# An INPUT that begins with "@" is a file or folder whose contents count (names, execute bits and link targets
# too); any other is text, such as a version. The key is the SHA-256 over all of them. When the result is
# missing, CMD is run with a fresh folder as its last argument, which is renamed into place when CMD succeeds:
# a result is whole or absent. A lock per NAME keeps two runs from building the same thing twice.
#
# Never call `cached` as a condition (if, ||, &&): bash would ignore `set -e` inside the build, and what a failed build
# left behind would be taken for a result. It refuses to be called so.

[[ -n ${COUNTERSIGN_CACHE_SH:-} ]] && return 0
COUNTERSIGN_CACHE_SH=1
# shellcheck source=qemu/lib/report.sh
. "${BASH_SOURCE[0]%/*}/report.sh"

# Results that no run has used for so long are removed.
CACHE_DAYS=14

cache_root() {
  local root=${COUNTERSIGN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/countersign}
  mkdir -p "$root"
  printf '%s\n' "$root"
}

# One line per file of a tree, in byte order: execute bit, name, digest or link target.
tree_digest() {
  (
    cd "$1" || exit
    export LC_ALL=C
    find . -type f -executable -printf 'x %p\n' -o -type l -printf 'l %p %l\n' -o -type d -printf 'd %p\n' | sort
    find . -type f -print0 | sort -z | xargs -0r sha256sum
  ) | sha256sum | cut -d' ' -f1
}

input_digest() {
  local input
  for input; do
    case $input in
      @*)
        input=${input#@}
        [[ -e $input ]] || die "cache input $input does not exist"
        if [[ -d $input ]]; then tree_digest "$input"; else sha256sum <"$input"; fi
        ;;
      *) printf 'text %s\n' "$input" ;;
    esac
  done | sha256sum | cut -d' ' -f1
}

cache_path() {
  local name=$1 key
  shift
  key=$(input_digest "$@")
  printf '%s/%s/%s\n' "$(cache_root)" "$name" "${key:0:24}"
}

cached() {
  local name=$1 folder result fresh lock stopped
  local inputs=()
  # Also in a shell that somebody types into.
  local -
  set -e
  stopped=$(
    set +e
    (
      set -e
      false
      true
    )
    printf '%s' $?
  )
  ((stopped)) || die "cached $name is called as a condition: a failed build would not be seen"
  shift
  while [[ $1 != -- ]]; do
    inputs+=("$1")
    shift
  done
  shift
  result=$(cache_path "$name" "${inputs[@]}")
  folder=${result%/*}
  mkdir -p "$folder"
  exec {lock}>"$folder/.lock"
  if ! flock --nonblock "$lock"; then
    note "waiting for another run that builds $name"
    flock "$lock"
  fi
  # Under the lock, what is still called fresh was left by a build that failed.
  rm -rf "$folder"/.fresh-*
  if [[ ! -d $result ]]; then
    fresh=$(mktemp --directory "$folder/.fresh-XXXXXX")
    chmod 755 "$fresh"
    # The build must not inherit the lock: a process that it leaves behind would hold it.
    "$@" "$fresh" {lock}>&- >&2
    mv -T "$fresh" "$result"
    find "$folder" -mindepth 1 -maxdepth 1 -type d ! -path "$result" -mtime +"$CACHE_DAYS" -exec rm -rf {} +
  fi
  touch "$result"
  exec {lock}>&-
  printf '%s\n' "$result"
}
