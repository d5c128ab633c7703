#!/usr/bin/env bash
# The emulator of the lock: the same on every machine, whatever QEMU that has.
#
#   emulator        prints the path of qemu-system-s390x
#
# QEMU 7.2 (Debian 12) computes wrong TCP checksums in the guest while the vector facility is on, and without that
# facility no Go program, thus no container engine, starts. 10.0 does neither; versions between were not tried.

[[ -n ${COUNTERSIGN_EMULATOR_SH:-} ]] && return 0
COUNTERSIGN_EMULATOR_SH=1
# shellcheck source=qemu/lib/tools.sh
. "${BASH_SOURCE[0]%/*}/tools.sh"

# It looks for its firmware in /usr/share/qemu and nowhere else, unless told.
emulator_build() {
  local tree=$1 target=$2
  cat >"$target/qemu-system-s390x" <<END
#!/bin/sh
exec '$tree/usr/bin/qemu-system-s390x' -L '$tree/usr/share/qemu' "\$@"
END
  chmod +x "$target/qemu-system-s390x"
  note "$("$target/qemu-system-s390x" --version | head -n 1)"
}

emulator() {
  local tree built
  tools_tree
  tree=$(runnable_tree emulator)
  # The tree's place is in the wrapper.
  built=$(cached emulator "$tree" "@${BASH_SOURCE[0]}" -- emulator_build "$tree")
  printf '%s/qemu-system-s390x\n' "$built"
}
