#!/usr/bin/env bash
# The parts of a guest, each built once per inputs and found again in the cache.
#
#   guest_sets ENGINE                                      prints the sets of the lock that a guest is made of
#   guest_countersignd REPOSITORY                          prints the program
#   guest_trees ENGINE                                     fetches and unpacks all packages; sets the variables
#                                                          KERNEL_TREE, INITRAMFS_TREE, OS_TREE
#   guest_material REPOSITORY ENGINE                       sets MATERIAL: packages and crates with their licences
#   guest_kernel                                           prints the kernel
#   guest_manifest REPOSITORY ENGINE OS_FOLDER INITRAMFS COUNTERSIGND given|built
#                                                          writes bill of materials and manifest; prints the manifest
#   guest_os REPOSITORY ENGINE COUNTERSIGND [TEST_TREE]    prints a folder: os.img, image.json, dropped
#   guest_initramfs REPOSITORY ENGINE COUNTERSIGND IMAGE_JSON  prints a folder: base.cpio.zst, command-line, contents
#   guest_busybox                                          prints a static busybox: the demo container's only program
#   boot_loader_parts                                      prints the folder of stage3a.bin and stage3b_reloc.bin
#   lab_tree                                               prints the unpacked programs of bare guests
#   verify_reproducible REPOSITORY ENGINE COUNTERSIGND OS_FOLDER INITRAMFS_FOLDER
#
# guest_kernel, guest_os and guest_initramfs want guest_trees and guest_material first. The versions of all packages are in the trees'
# `packages.lock`.

[[ -n ${COUNTERSIGN_GUEST_SH:-} ]] && return 0
COUNTERSIGN_GUEST_SH=1
# shellcheck source=qemu/lib/toolchain.sh
. "${BASH_SOURCE[0]%/*}/toolchain.sh"
# shellcheck source=qemu/lib/bill.sh
. "${BASH_SOURCE[0]%/*}/bill.sh"

guest_sets() { printf '%s\n' tools rust-s390x sysroot kernel initramfs "guest-$1" licences sbom; }

guest_countersignd() {
  prepare_s390x
  # Cargo knows best whether something is to be built.
  (cd "$1" && quiet "cargo build --release -p countersign-agent" \
    cargo_s390x build --quiet --locked --release -p countersign-agent)
  printf '%s/countersignd\n' "$(s390x_target_dir)"
}

tree_build() {
  quiet "unpacking $2" debian_unpack "$1" "$3"
  cp "$1/packages.lock" "$3/packages.lock"
  note "$2: $(wc -l <"$3/packages.lock") packages, $(size_of "$3") unpacked"
}

tree() {
  local debs
  debs=$(debian_set "$1")
  cached "tree-$1" "@$debs/packages.lock" "@${BASH_SOURCE[0]%/*}/debian.sh" -- tree_build "$debs" "$1"
}

guest_trees() {
  KERNEL_TREE=$(tree kernel)
  INITRAMFS_TREE=$(tree initramfs)
  OS_TREE=$(tree "guest-$1")
}

# The parts of an image and the sets that they are made of, as image_material takes them.
guest_parts() {
  local entry
  for entry in "guest-os guest-$1" 'initramfs initramfs' 'kernel kernel' 'countersignd rust-s390x' 'build tools' \
    'build sysroot' 'build licences'; do
    printf '%s=debian-13=%s\n' "${entry% *}" "$(debian_set "${entry#* }")"
  done
}

guest_material() {
  local parts=()
  mapfile -t parts < <(guest_parts "$2")
  MATERIAL=$(image_material "$1" "${parts[@]}")
}

guest_manifest() {
  local repository=$1 engine=$2 os=$3 initramfs=$4 countersignd=$5 given=() state=committed lock
  [[ $6 == built ]] || given=(--countersignd-given)
  lock=$(debian_lock)
  cmp --quiet "$lock" "$DEBIAN_QEMU/debian.lock" || state=renewed
  countersignd_notices "$MATERIAL" "$countersignd"
  image_bill "$repository" "$MATERIAL" "$(debian_set sbom)" --engine "$engine" \
    --version "$(guest_version "$repository")" --epoch "$(guest_epoch)" --lock "$lock" --lock-state "$state" \
    --kernel "$(guest_kernel)" --initramfs "$initramfs" --os-image "$os/os.img" --image-json "$os/image.json" \
    --countersignd "$countersignd" "${given[@]}" --tools "$(debian_set tools)"
}

guest_busybox() { printf '%s/usr/bin/busybox\n' "$(tree busybox)"; }

lab_tree() { tree lab; }

boot_loader_build() {
  mkdir "$2/tree"
  debian_unpack "$1" "$2/tree"
  mv "$2"/tree/usr/share/s390-tools/pvimg/stage3{a,b_reloc}.bin "$2/"
  rm -rf "$2/tree"
}

boot_loader_parts() {
  local debs
  debs=$(debian_set boot-loader)
  cached boot-loader "@$debs/packages.lock" -- boot_loader_build "$debs"
}

guest_kernel() { printf '%s\n' "$KERNEL_TREE"/boot/vmlinuz-*; }

# Date of all files: a fact of the inputs, not of the build.
guest_epoch() { stat --format=%Y "$(guest_kernel)"; }

guest_version() { sed -n 's/^version = "\(.*\)"$/\1/p' "$1/Cargo.toml" | head -n 1; }

guest_os() {
  local repository=$1 engine=$2 countersignd=$3 test_tree=()
  if (($# > 3)); then test_tree=("$4"); fi
  tools_tree
  cached "os-$engine" "${test_tree[@]/#/@}" \
    "@$repository/qemu/guest" "@$repository/systemd" "@$OS_TREE/packages.lock" "@$INITRAMFS_TREE/packages.lock" \
    "@$repository/initramfs/programs" "@$countersignd" "$MATERIAL" \
    "$COUNTERSIGN_TOOLS" "$(guest_version "$repository")" "$(guest_epoch)" -- \
    "$repository/qemu/guest/build" "$engine" "$OS_TREE" "$INITRAMFS_TREE" "$MATERIAL" "$countersignd" "$(guest_epoch)" \
    "$(guest_version "$repository")" "${test_tree[@]}"
}

guest_initramfs() {
  local repository=$1 engine=$2 countersignd=$3 image_json=$4
  tools_tree
  cached "initramfs-$engine" "@$repository/initramfs" "@$KERNEL_TREE/packages.lock" "@$INITRAMFS_TREE/packages.lock" \
    "@$countersignd" "@$image_json" "$COUNTERSIGN_TOOLS" -- \
    "$repository/initramfs/build" "$engine" "$KERNEL_TREE" "$INITRAMFS_TREE" "$countersignd" "$image_json"
}

# countersignd once more from a copy of the sources, in a folder, a target folder and a cargo home with other names and
# of other lengths.
countersignd_again() {
  local repository=$1 work=$2 copy=$2/sources-in-a-folder-with-a-longer-name home=${CARGO_HOME:-$HOME/.cargo} name
  mkdir -p "$copy" "$work/cargo-home"
  (cd "$repository" && cp --recursive Cargo.toml Cargo.lock crates tests "$copy/")
  # What was downloaded is shared; the path by which the compiler sees it is not.
  for name in registry config.toml config; do
    if [[ -e $home/$name ]]; then ln -s "$home/$name" "$work/cargo-home/$name"; fi
  done
  (
    cd "$copy" || exit
    export CARGO_HOME=$work/cargo-home S390X_TARGET_DIR=$work/target-again
    cargo_s390x build --quiet --locked --release -p countersign-agent
  )
  mv "$work/target-again/$S390X_TARGET/release/countersignd" "$work/countersignd"
}

# The first file in which two archives or images differ, unpacked by $1; for people.
first_difference() {
  local unpack=$1 work=$2
  shift 2
  mkdir "$work/first" "$work/second"
  "$unpack" "$1" "$work/first" && "$unpack" "$2" "$work/second" || return 0
  diff --recursive --brief --no-dereference "$work/first" "$work/second" | head -n 1
}

unpack_os() { "$(tool fsck.erofs)" --extract="$2" --overwrite "$1" >/dev/null; }
unpack_initramfs() { "$(tool zstd)" --quiet --decompress --stdout "$1" | (cd "$2" && "$(tool cpio)" --quiet --extract --make-directories); }

# Second build of everything from trees unpacked afresh, in memory where there is room: another file system lists its
# folders in another order.
verify_reproducible() {
  local repository=$1 engine=$2 countersignd=$3 os=$4 initramfs=$5 work name
  work=$(TMPDIR=$([[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}") mktemp --directory)
  # shellcheck disable=SC2064  # this folder, now
  trap "rm -rf '$work'" EXIT
  quiet "countersignd again" countersignd_again "$repository" "$work"
  for name in kernel initramfs "guest-$engine"; do
    quiet "unpacking $name again" debian_unpack "$(debian_set "$name")" "$work/$name"
  done
  # The build looks at the date of the kernel's file, which unpacking keeps.
  quiet "guest OS again" "$repository/qemu/guest/build" "$engine" "$work/guest-$engine" "$work/initramfs" "$MATERIAL" "$work/countersignd" \
    "$(stat --format=%Y "$work"/kernel/boot/vmlinuz-*)" "$(guest_version "$repository")" "$work/os"
  quiet "initramfs again" "$repository/initramfs/build" "$engine" "$work/kernel" "$work/initramfs" "$work/countersignd" \
    "$work/os/image.json" "$work/initramfs-again"
  cmp "$countersignd" "$work/countersignd" || die "countersignd differs between two builds"
  cmp "$(guest_kernel)" "$work"/kernel/boot/vmlinuz-* || die "the kernel differs between two builds"
  cmp "$os/os.img" "$work/os/os.img" ||
    die "os.img differs between two builds: $(first_difference unpack_os "$work" "$os/os.img" "$work/os/os.img")"
  cmp "$os/image.json" "$work/os/image.json" || die "image.json differs between two builds"
  name=base.cpio.zst
  cmp "$initramfs/$name" "$work/initramfs-again/$name" ||
    die "$name differs between two builds: $(first_difference unpack_initramfs "$work" "$initramfs/$name" "$work/initramfs-again/$name")"
  rm -rf "$work"
  trap - EXIT
  note "countersignd, kernel, os.img, image.json and base.cpio.zst are the same, bit for bit"
}
