#!/usr/bin/env bash
# Where the programs are that tests and demo start: absolute paths, found once, at set-up.
#
#   program_list            exports COUNTERSIGN_PROGRAMS, a list `name=path` separated by colons, for crate `vm`
#   signing_programs        adds those that sign images, and the library with which the guest's engine checks them
#   program_path NAME       prints the path of an installed program; says which package has it when there is none
#
# The emulator is the lock's, the others come from `packages.sh`. PATH is not asked: what is found there by luck on one
# machine is missing on the next.

[[ -n ${COUNTERSIGN_PROGRAMS_SH:-} ]] && return 0
COUNTERSIGN_PROGRAMS_SH=1
# shellcheck source=qemu/lib/emulator.sh
. "${BASH_SOURCE[0]%/*}/emulator.sh"

# Program and package. Servers lie where an ordinary user does not look.
INSTALLED_PROGRAMS=(
  'docker-registry docker-registry' 'genisoimage genisoimage' 'htpasswd apache2-utils' 'openssl openssl'
  'rsyslogd rsyslog' 'setpriv util-linux' 'gpg gpg' 'gpgconf gpgconf' 'skopeo skopeo' 'debugfs e2fsprogs' 'mke2fs e2fsprogs' 'truncate coreutils'
)

program_path() {
  local folder
  for folder in /usr/bin /usr/sbin /bin /sbin; do
    if [[ -x $folder/$1 ]]; then
      printf '%s\n' "$folder/$1"
      return
    fi
  done
  die "$1 is not in /usr/bin or /usr/sbin: install the package ${2:-that has it}"
}

program_list() {
  local entry list
  list=qemu-system-s390x=$(emulator)
  for entry in "${INSTALLED_PROGRAMS[@]}"; do
    # shellcheck disable=SC2086  # two words
    list+=:${entry% *}=$(program_path $entry)
  done
  export COUNTERSIGN_PROGRAMS=$list
}

# Of the guest's release, whose own skopeo checks what the engine checks.
signing_programs() {
  COUNTERSIGN_PROGRAMS+=:cosign=$(runnable_tree cosign)/usr/bin/cosign
  COUNTERSIGN_PROGRAMS+=:guest-skopeo=$(runnable_tree skopeo)/usr/bin/skopeo
}
