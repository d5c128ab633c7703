# shellcheck shell=dash disable=SC2154,SC2034  # the variables are those of init
# The work of the stages locate to unlock, as a shell script of documented commands would do it. Sourced by init.
#
# It checks less than countersignd does: no bounds, no schema, no judgement of the LUKS header, a YAML that is cut by
# patterns. What it leaves out is in its favour.

# The value of `KEY: value` inside the block that begins with the line BLOCK, at most 2 levels down.
value_in() {
  awk -v block="$2:" -v key="$3:" '
    /^[^ ]/ { inside = ($1 == block) }
    inside && $1 == key { gsub(/"/, "", $2); print $2; exit }' "$1"
}

# The lines of a literal block, without their indentation.
block_of() {
  awk -v block="$2: |" '
    inside && /^[^ ]/ { exit }
    inside { sub(/^ +/, ""); print }
    $0 == block { inside = 1 }' "$1"
}

open_token() {
  take_apart "$1"
  openssl pkeyutl -decrypt -inkey "$image_key" -in "$1.wrapped" -out "$1.passphrase" || failed pkeyutl
  openssl enc -d -aes-256-cbc -pbkdf2 -pass stdin -in "$1.sealed" -out "$1" <"$1.passphrase" || failed enc
}

recipe() {
  now
  recipe_begun=$now_at

  begin
  medium=$(findfs LABEL=cidata) || failed findfs
  mount -t iso9660 -o ro "$medium" /bench/contract || failed medium
  cp /bench/contract/user-data contract
  end locate

  begin
  open_token env
  end unseal

  begin
  block_of env signingKey >signing.pub
  sed -n 's/^envWorkloadSignature: *//p' contract | base64 -d >signature
  sed -n 's/^workload: *//p' contract >workload.value
  cat workload.value env.value | tr -d '\r\n' >signed
  openssl dgst -sha256 -verify signing.pub -signature signature signed >/dev/null || failed signature
  open_token workload
  end verify

  begin
  value_in workload compose archive | base64 -d | tar -xz -C /bench/files || failed archive
  grep -q 'image: .*@sha256:' /bench/files/docker-compose.yaml || failed image
  for name in hostname port; do [ -n "$(value_in env logging $name)" ] || failed $name; done
  end validate

  begin
  sha256sum contract /bench/contract/meta-data env.value workload.value env workload signing.pub signature >record
  end attest

  begin
  mount_point=$(value_in workload volumes mount)
  printf '%s%s' "$(value_in env volumes seed)" "$(value_in workload volumes seed)" |
    sha256sum | cut -d' ' -f1 | tr -d '\n' >volume.passphrase
  [ -n "$mount_point" ] || failed mount
  disk=$(disk_with_serial data)
  cryptsetup open --key-file volume.passphrase "${disk}2" data || failed cryptsetup
  mount -t ext4 -o nosuid,nodev /dev/mapper/data /bench/volume || failed volume
  end unlock

  begun=$recipe_begun
  end recipe

  # What no way of opening this volume can spare: its key derivation, with the header's own costs, in one process.
  cryptsetup luksDump "${disk}2" >header
  cost() { sed -n "s/^[[:space:]]*$1:[[:space:]]*//p" header | head -n 1; }
  library argon2id "$(cost Memory)" "$(cost 'Time cost')" "$(cost Threads)" || failed argon2id
  umount /bench/volume
}
