#!/usr/bin/env bash
# The parts of a guest, each built once per inputs and found again in the cache.
#
#   guest_countersignd REPOSITORY                          prints the program
#   guest_trees ENGINE                                     fetches and unpacks all packages; sets the variables
#                                                          KERNEL_TREE, INITRAMFS_TREE, OS_TREE
#   guest_kernel                                           prints the kernel
#   guest_os REPOSITORY ENGINE COUNTERSIGND [TEST_TREE]    prints a folder: os.img, image.json, dropped
#   guest_initramfs REPOSITORY ENGINE COUNTERSIGND IMAGE_JSON  prints a folder: base.cpio.zst, contents
#   guest_busybox                                          prints a static busybox: the demo container's only program
#   verify_reproducible REPOSITORY ENGINE COUNTERSIGND OS_FOLDER INITRAMFS_FOLDER
#
# guest_kernel, guest_os and guest_initramfs want guest_trees first. The versions of all packages are in the trees' `packages.lock`.

[[ -n ${COUNTERSIGN_GUEST_SH:-} ]] && return 0
COUNTERSIGN_GUEST_SH=1
# shellcheck source=qemu/lib/toolchain.sh
. "${BASH_SOURCE[0]%/*}/toolchain.sh"

# What the programs of the initramfs are linked against, and those that make file systems.
INITRAMFS_PACKAGES=(libc6 libgcc-s1 libssl3t64 libcryptsetup12 e2fsprogs xfsprogs btrfs-progs)

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
  cached "tree-$2" "@$1/packages.lock" "@${BASH_SOURCE[0]%/*}/debian.sh" -- tree_build "$1" "$2"
}

guest_trees() {
  local engine=$1 folder debs words=() kernels=()
  folder=${BASH_SOURCE[0]%/*}/../guest
  mapfile -t kernels < <(debian_depends "$GUEST_SUITE" "$GUEST_ARCH" linux-image-s390x)
  debs=$(debian_alone "$GUEST_SUITE" "$GUEST_ARCH" kernel "${kernels[@]}")
  KERNEL_TREE=$(tree "$debs" kernel)
  debs=$(debian_set "$GUEST_SUITE" "$GUEST_ARCH" initramfs "${INITRAMFS_PACKAGES[@]}")
  INITRAMFS_TREE=$(tree "$debs" initramfs)
  mapfile -t words < <(sed 's/#.*//' "$folder/packages" "$folder/packages-$engine" | awk 'NF { print $1 }')
  debs=$(debian_set "$GUEST_SUITE" "$GUEST_ARCH" "guest-$engine" "${words[@]}")
  OS_TREE=$(tree "$debs" "guest-$engine")
}

busybox_build() { debian_unpack "$1" "$2" busybox-static; }

guest_busybox() {
  local debs
  debs=$(debian_alone "$GUEST_SUITE" "$GUEST_ARCH" busybox busybox-static)
  printf '%s/usr/bin/busybox\n' "$(cached busybox "@$debs/packages.lock" -- busybox_build "$debs")"
}

guest_kernel() { printf '%s\n' "$KERNEL_TREE"/boot/vmlinuz-*; }

# Date of all files: a fact of the inputs, not of the build.
guest_epoch() { stat --format=%Y "$(guest_kernel)"; }

guest_version() { sed -n 's/^version = "\(.*\)"$/\1/p' "$1/Cargo.toml" | head -n 1; }

guest_os() {
  local repository=$1 engine=$2 countersignd=$3 test_tree=()
  if (($# > 3)); then test_tree=("$4"); fi
  cached "os-$engine" "${test_tree[@]/#/@}" \
    "@$repository/qemu/guest" "@$repository/systemd" "@$OS_TREE/packages.lock" "@$countersignd" \
    "$(mkfs.erofs --version 2>&1 | head -n 1)" "$(guest_version "$repository")" "$(guest_epoch)" -- \
    "$repository/qemu/guest/build" "$engine" "$OS_TREE" "$countersignd" "$(guest_epoch)" \
    "$(guest_version "$repository")" "${test_tree[@]}"
}

guest_initramfs() {
  local repository=$1 engine=$2 countersignd=$3 image_json=$4
  cached "initramfs-$engine" "@$repository/initramfs" "@$KERNEL_TREE/packages.lock" "@$INITRAMFS_TREE/packages.lock" \
    "@$countersignd" "@$image_json" "$(zstd --version)" -- \
    "$repository/initramfs/build" "$engine" "$KERNEL_TREE" "$INITRAMFS_TREE" "$countersignd" "$image_json"
}

# Second build from trees unpacked afresh, in memory where there is room: another file system lists its folders in
# another order.
verify_reproducible() {
  local repository=$1 engine=$2 countersignd=$3 os=$4 initramfs=$5 work debs name words=()
  work=$(TMPDIR=$([[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}") mktemp --directory)
  mapfile -t words < <(sed 's/#.*//' "$repository"/qemu/guest/packages{,"-$engine"} | awk 'NF { print $1 }')
  debs=$(debian_set "$GUEST_SUITE" "$GUEST_ARCH" "guest-$engine" "${words[@]}")
  quiet "unpacking the guest OS again" debian_unpack "$debs" "$work/tree"
  quiet "guest OS again" "$repository/qemu/guest/build" "$engine" "$work/tree" "$countersignd" "$(guest_epoch)" \
    "$(guest_version "$repository")" "$work/os"
  quiet "initramfs again" "$repository/initramfs/build" "$engine" "$KERNEL_TREE" "$INITRAMFS_TREE" "$countersignd" \
    "$work/os/image.json" "$work/initramfs"
  for name in os.img image.json; do cmp "$os/$name" "$work/os/$name" || die "$name differs between two builds"; done
  cmp "$initramfs/base.cpio.zst" "$work/initramfs/base.cpio.zst" || die "base.cpio.zst differs between two builds"
  rm -rf "$work"
  note "os.img, image.json and base.cpio.zst are the same, bit for bit"
}
