#!/usr/bin/env bash
# What an image is made of: notices of others' work, bill of materials, build manifest. The work is qemu/supply/bill's.
#
#   bill VERB ARG...            runs python3 -m supply.bill
#   image_material REPOSITORY PART=DISTRIBUTION=SET_FOLDER...
#                               prints a folder for guest/build, image_bill and countersignd_notices. The parts: guest-os,
#                               initramfs, kernel, countersignd (Rust's own library, which is linked into it), and for
#                               all that only decides bytes: build. One of the sets must hold base-files, for the
#                               licences that copyright files refer to
#   countersignd_notices MATERIAL COUNTERSIGND
#                               writes THIRD-PARTY beside the program
#   sbom_library SBOM_SET_FOLDER
#                               prints the folder with the library that writes bills of materials, for PYTHONPATH
#   image_bill REPOSITORY MATERIAL SBOM_SET_FOLDER MANIFEST_OPTION...
#                               writes sbom.cdx.json and manifest.json beside the guest OS image; prints the manifest's path
#   MANIFEST_OPTION             as `supply.bill manifest --help` says: all but --repository, --sbom and --notices
#
# SET_FOLDER is what `supply fetch` prints. image_material wants toolchain.sh, image_bill debian.sh.

[[ -n ${COUNTERSIGN_BILL_SH:-} ]] && return 0
COUNTERSIGN_BILL_SH=1
# shellcheck source=qemu/lib/cache.sh
. "${BASH_SOURCE[0]%/*}/cache.sh"

BILL_FOLDER=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)

bill() {
  # Nothing is compiled into the checkout; as `supply` in debian.sh.
  COUNTERSIGN_COMMAND=$(basename -- "$0") PYTHONDONTWRITEBYTECODE='' PYTHONPYCACHEPREFIX=$(cache_root)/pycache \
    PYTHONPATH=$BILL_FOLDER${BILL_LIBRARY:+:$BILL_LIBRARY} /usr/bin/python3 -m supply.bill "$@"
}

# What cargo says about countersignd; features differ between the members of the workspace, so only `cargo tree` knows.
cargo_says() {
  local out=$1 edges=no-dev
  local tree=(tree --locked --package countersign-agent --target s390x-unknown-linux-gnu --prefix none)
  cargo_s390x metadata --locked --format-version 1 --filter-platform s390x-unknown-linux-gnu >"$out/metadata"
  cargo_s390x "${tree[@]}" --edges "$edges" >"$out/built"
  cargo_s390x "${tree[@]}" --edges "$edges,no-build,no-proc-macro" >"$out/linked"
}

material_build() {
  local repository=$1 out=${*: -1} work entry sets=()
  work=$(mktemp --directory)
  for entry in "${@:2:$#-2}"; do sets+=(--set "$entry"); done
  (cd "$repository" && cargo_says "$work")
  bill gather "${sets[@]}" --metadata "$work/metadata" --linked "$work/linked" --built "$work/built" \
    --cargo-lock "$repository/Cargo.lock" --kept "$(cache_root)/deb-facts" "$out"
  rm -rf "$work"
}

image_material() {
  local repository=$1 entry inputs=()
  for entry in "${@:2}"; do
    inputs+=("${entry%=*}" "@${entry##*=}/packages.lock")
  done
  for entry in "$repository"/{Cargo.lock,Cargo.toml} "$repository"/crates/*/Cargo.toml; do inputs+=("@$entry"); done
  cached material "${inputs[@]}" "@$BILL_FOLDER/supply/bill" -- quiet "what the image is made of" \
    material_build "$@"
}

countersignd_notices() {
  bill notices --part countersignd "$1" "$(dirname "$2")/THIRD-PARTY"
}

# The value of an option.
option_of() {
  local name=$1
  shift
  while (($# > 1)); do
    if [[ $1 == "$name" ]]; then
      printf '%s\n' "$2"
      return
    fi
    shift
  done
  die "image_bill needs $name"
}

sbom_library_build() { debian_unpack "$1" "$2"; }

sbom_library() {
  local folder
  folder=$(cached sbom-library "@$1/packages.lock" -- sbom_library_build "$1")
  printf '%s/usr/lib/python3/dist-packages\n' "$folder"
}

sbom_build() {
  local material=$1 os=$2 countersignd=$3 library=$4 engine=$5 version=$6 epoch=$7 out=$8
  BILL_LIBRARY=$library bill sbom --image "countersign-$engine" --version "$version" \
    --epoch "$epoch" --countersignd "$countersignd" --files "guest-os=$os/kept" --files "initramfs=$os/kept-initramfs" \
    "$material" "$out/sbom.cdx.json"
}

image_bill() {
  local repository=$1 material=$2 sbom_debs=$3 library os countersignd engine version epoch sbom
  shift 3
  os=$(dirname "$(option_of --os-image "$@")")
  countersignd=$(option_of --countersignd "$@")
  engine=$(option_of --engine "$@")
  version=$(option_of --version "$@")
  epoch=$(option_of --epoch "$@")
  library=$(sbom_library "$sbom_debs")
  # The material's name is the digest of all that it was made from.
  sbom=$(cached "sbom-$engine" "$(basename "$material")" "@$os/kept" "@$os/kept-initramfs" "@$countersignd" "$version" "$epoch" \
    "@$sbom_debs/packages.lock" "@$BILL_FOLDER/supply/bill" -- \
    sbom_build "$material" "$os" "$countersignd" "$library" "$engine" "$version" "$epoch")
  cp --no-preserve=mode "$sbom/sbom.cdx.json" "$os/.sbom.new.$$"
  mv "$os/.sbom.new.$$" "$os/sbom.cdx.json"
  bill manifest --repository "$repository" --sbom "$os/sbom.cdx.json" --notices "$os/THIRD-PARTY" "$@" "$os/manifest.json"
  printf '%s\n' "$os/manifest.json"
}
