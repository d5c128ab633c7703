#!/usr/bin/env bash
# The emulator: the machine's own where it is new enough, else a newer one from Debian's backports, unpacked.
#
#   emulator_path        puts the folder of a suitable qemu-system-s390x first in PATH
#
# QEMU 7.2 (Debian 12) computes wrong TCP checksums in the guest while the vector facility is on, and without that
# facility no Go program, thus no container engine, starts. 10.0 does neither; versions between were not tried.

[[ -n ${COUNTERSIGN_EMULATOR_SH:-} ]] && return 0
COUNTERSIGN_EMULATOR_SH=1
# shellcheck source=qemu/lib/debian.sh
. "${BASH_SOURCE[0]%/*}/debian.sh"

EMULATOR_MINIMUM=10.0

emulator_new_enough() {
  local version
  version=$(qemu-system-s390x --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
  [[ -n $version && $(printf '%s\n' "$EMULATOR_MINIMUM" "$version" | sort -V | head -n 1) == "$EMULATOR_MINIMUM" ]]
}

emulator_build() {
  local libraries=$1 emulator=$2 target=$3
  quiet "unpacking the emulator's libraries" debian_unpack "$libraries" "$target/all"
  quiet "unpacking the emulator" debian_unpack "$emulator" "$target/all"
  mkdir -p "$target/usr"/{bin,libexec,share/qemu}
  mv "$target/all/usr/bin/qemu-system-s390x" "$target/usr/libexec/"
  mv "$target/all/usr/lib" "$target/usr/lib"
  mv "$target/all/usr/share/qemu"/s390-* "$target/usr/share/qemu/"
  rm -rf "$target/all"
  # As for the unpacked compiler: the libraries must be found by this program alone.
  # shellcheck disable=SC2016  # the loader's own notation
  patchelf --force-rpath --set-rpath '$ORIGIN/../lib/x86_64-linux-gnu' "$target/usr/libexec/qemu-system-s390x"
  # It looks for its firmware in /usr/share/qemu and nowhere else, unless told.
  cat >"$target/usr/bin/qemu-system-s390x" <<'END'
#!/bin/sh
usr=$(dirname "$(dirname "$(realpath "$0")")")
exec "$usr/libexec/qemu-system-s390x" -L "$usr/share/qemu" "$@"
END
  chmod +x "$target/usr/bin/qemu-system-s390x"
  note "$("$target/usr/bin/qemu-system-s390x" --version | head -n 1), $(size_of "$target")"
}

emulator_path() {
  local libraries emulator folder
  if emulator_new_enough; then return 0; fi
  # The older release's emulator depends on the same libraries; the C library is the machine's.
  libraries=$(debian_set bookworm amd64 emulator-libraries qemu-system-misc libpmem1 librdmacm1 libvdeplug2 \
    libibverbs1 libbpf1 libsasl2-2 libusb-1.0-0 '-libc6*' '-libc-bin' '-qemu-*' '-gcc-*' '-perl*' '-ipxe*' '-seabios')
  emulator=$(debian_alone bookworm-backports amd64 emulator qemu-system-s390x qemu-system-common qemu-system-data)
  folder=$(cached emulator "@$libraries/packages.lock" "@$emulator/packages.lock" "@${BASH_SOURCE[0]}" -- \
    emulator_build "$libraries" "$emulator")
  PATH=$folder/usr/bin:$PATH
}
