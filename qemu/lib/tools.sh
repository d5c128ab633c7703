#!/usr/bin/env bash
# Programs of the lock that run on this machine: unpacked, each with the C library and loader of its own release.
#
#   runnable_tree SET [PACKAGE_FOLDER...]   prints a folder in which every program of the set (and of the folders with
#                                           *.deb behind it) runs; its libraries were found at once, or it ends here
#   tool NAME                               prints the path of a program of the set `tools`: what decides an image's bytes
#
# So the same programs build the same bytes on any x86-64 machine. A program is told in its own header where loader and
# libraries lie: an environment variable would reach the programs that it starts, which may be the machine's.

[[ -n ${COUNTERSIGN_TOOLS_SH:-} ]] && return 0
COUNTERSIGN_TOOLS_SH=1
# shellcheck source=qemu/lib/debian.sh
. "${BASH_SOURCE[0]%/*}/debian.sh"

# Headers name absolute paths, so the place that the folder will have is an argument, and part of its key.
runnable_build() {
  local place=$1 folder
  shift
  local folders=("${@:1:$#-1}") target=${!#}
  for folder in "${folders[@]}"; do quiet "unpacking $(basename "${folder%/*}" | sed 's/^sets$//')$(basename "$folder")" debian_unpack "$folder" "$target"; done
  rm -rf "$target"/usr/share/{doc,man,info,locale,lintian,bug}
  quiet "programs and their libraries" supply adopt "$target" "$place"
  note "$(size_of "$target") unpacked"
}

runnable_tree() {
  local name=$1 folders place inputs=()
  shift
  folders=("$(debian_set "$name")" "$@")
  inputs=("${folders[@]/%//packages.lock}")
  inputs=("${inputs[@]/#/@}" "$(cache_root)" "@$DEBIAN_QEMU/supply/closure.py" "@${BASH_SOURCE[0]}")
  place=$(cache_path "run-$name" "${inputs[@]}")
  cached "run-$name" "${inputs[@]}" -- runnable_build "$place" "${folders[@]}"
}

# The build tools once for a whole run, since almost everything asks for them.
tools_tree() {
  if [[ -z ${COUNTERSIGN_TOOLS:-} || ! -d $COUNTERSIGN_TOOLS ]]; then
    COUNTERSIGN_TOOLS=$(runnable_tree tools "$(debian_set rust-s390x)")
    export COUNTERSIGN_TOOLS
  fi
}

tool() {
  local folder
  tools_tree
  for folder in bin sbin; do
    if [[ -x $COUNTERSIGN_TOOLS/usr/$folder/$1 ]]; then
      printf '%s\n' "$COUNTERSIGN_TOOLS/usr/$folder/$1"
      return
    fi
  done
  die "the set tools of qemu/debian.sets has no program $1"
}
