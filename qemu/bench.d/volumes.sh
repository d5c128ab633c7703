# shellcheck shell=dash disable=SC2154  # the variables are those of init
# Volumes as the cryptsetup program makes and opens them, one after the other. Sourced by init. They are whole disks with
# the serial numbers v1, v2, …; the passphrase of all of them lies on a disk of its own.

volume_names() {
  number=1
  while [ "$number" -le "$volumes" ]; do
    echo "v$number"
    number=$((number + 1))
  done
}

take_passphrase() {
  head -c 64 "$(disk_with_serial passphrase)" >volume.passphrase
}

# Key slots as ours are, with argon2id's lanes as they are given.
make_volumes() {
  take_passphrase
  for name in $(volume_names); do
    disk=$(disk_with_serial "$name")
    cryptsetup luksFormat --batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 \
      --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 --pbkdf-parallel "$lanes" \
      --key-file volume.passphrase "$disk" || failed luksFormat
    cryptsetup luksDump "$disk" >header
    grep -q "Threads: *$lanes\$" header || failed lanes
    # For the record: what every check of a key against the header costs.
    echo "bench: digest=$(grep -A 9 '^Digests:' header | sed -n 's/^[[:space:]]*Iterations:[[:space:]]*//p')"
    cryptsetup open --key-file volume.passphrase "$disk" "$name" || failed cryptsetup
    /usr/sbin/mke2fs -q -t ext4 "/dev/mapper/$name" || failed mke2fs
    cryptsetup close "$name" || failed close
  done
}

open_volumes() {
  take_passphrase
  disks=
  for name in $(volume_names); do
    disks="$disks $name:$(disk_with_serial "$name")"
    mkdir "/bench/volume/$name"
  done
  begin
  for disk in $disks; do
    name=${disk%%:*}
    cryptsetup open --key-file volume.passphrase "${disk#*:}" "$name" || failed cryptsetup
    mount -t ext4 -o nosuid,nodev "/dev/mapper/$name" "/bench/volume/$name" || failed volume
  done
  end open
  for disk in $disks; do
    umount "/bench/volume/${disk%%:*}" || failed umount
    cryptsetup close "${disk%%:*}" || failed close
  done
}
