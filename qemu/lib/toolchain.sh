#!/usr/bin/env bash
# Rust for the machine and for the guest.
#
#   cargo_host ARG...      cargo for the machine itself
#   cargo_s390x ARG...     cargo for the guest: compiler, target, linker, sysroot and C library variables set
#   prepare_s390x          what cargo_s390x needs, fetched now: for those who want to see the progress of it
#   s390x_target_dir       prints where cargo_s390x puts its results (…/s390x-unknown-linux-gnu/release)
#
# Guest: the compiler, linker and libclang of the lock, on every machine, since they decide the program's bytes; build
# scripts are linked against the C library that was unpacked with them. Host: the machine's own cargo and rustc when they
# are new enough, else rustup from the machine's packages, else those of the lock. COUNTERSIGN_RUST=locked asks for the
# last.

[[ -n ${COUNTERSIGN_TOOLCHAIN_SH:-} ]] && return 0
COUNTERSIGN_TOOLCHAIN_SH=1
# shellcheck source=qemu/lib/sysroot.sh
. "${BASH_SOURCE[0]%/*}/sysroot.sh"
# shellcheck source=qemu/lib/packages.sh
. "${BASH_SOURCE[0]%/*}/packages.sh"
# shellcheck source=qemu/lib/tools.sh
. "${BASH_SOURCE[0]%/*}/tools.sh"

# As `rust-version` in Cargo.toml.
RUST_MINIMUM=1.95
S390X_TARGET=s390x-unknown-linux-gnu

rust_new_enough() {
  local version
  version=$("$1" --version 2>/dev/null | cut -d' ' -f2) || return 1
  [[ -n $version && $(printf '%s\n' "$RUST_MINIMUM" "$version" | sort -V | head -n 1) == "$RUST_MINIMUM" ]]
}

# A rustup of the user may be installed but not on the path of a sudo or CI shell.
toolchain_path() {
  if [[ -d $HOME/.cargo/bin && :$PATH: != *:$HOME/.cargo/bin:* ]]; then PATH=$HOME/.cargo/bin:$PATH; fi
}

locked_rust() {
  tools_tree
  printf '%s %s\n' "$(tool rustc)" "$(tool cargo)"
}

# Where rustup cannot download, it takes its time to find that out: it is asked once a day.
rustup_worth_asking() {
  command -v rustup >/dev/null && [[ -z $(find "$(cache_root)/rustup-refused" -mmin -1440 2>/dev/null) ]]
}

# Prints "RUSTC CARGO" for the machine itself, as absolute paths.
host_rust() {
  if [[ -n ${COUNTERSIGN_HOST_RUST:-} ]]; then
    printf '%s\n' "$COUNTERSIGN_HOST_RUST"
    return
  fi
  toolchain_path
  if [[ ${COUNTERSIGN_RUST:-} == locked ]]; then
    locked_rust
    return
  fi
  if rust_new_enough rustc && rust_new_enough cargo; then
    printf '%s %s\n' "$(command -v rustc)" "$(command -v cargo)"
    return
  fi
  if ! command -v rustup >/dev/null && package_known rustup; then
    quiet "apt-get install rustup" install_without_services rustup
  fi
  if rustup_worth_asking; then
    if quiet "rustup: stable Rust" timeout 600 rustup toolchain install stable --profile minimal; then
      printf '%s %s\n' "$(rustup which --toolchain stable rustc)" "$(rustup which --toolchain stable cargo)"
      return
    fi
    touch "$(cache_root)/rustup-refused"
  fi
  locked_rust
}

# A rustdoc lies beside its compiler.
rustdoc_of() { printf '%s/rustdoc\n' "${1%/*}"; }

cargo_host() {
  local found
  found=$(host_rust)
  # The documentation tests and links want the compiler's own rustdoc.
  RUSTC=${found% *} RUSTDOC=$(rustdoc_of "${found% *}") "${found#* }" "$@"
}

# Outside the checkout, so that a fresh clone finds its dependencies built.
s390x_target_dir() { printf '%s/target-s390x/%s/release\n' "$(cache_root)" "$S390X_TARGET"; }

# Build scripts and macros run while the guest's program is built. They load libclang, so they take the C library, the
# loader and the linker that were unpacked with it, not the machine's.
script_linker_build() {
  local tools=$1 libraries=$1/usr/lib/x86_64-linux-gnu
  cat >"$2/script-linker" <<END
#!/bin/sh
exec '$tools/usr/bin/x86_64-linux-gnu-gcc-14' --sysroot='$tools' -B'$tools/usr/bin' \
  -Wl,--dynamic-linker='$tools/usr/lib64/ld-linux-x86-64.so.2' -Wl,--disable-new-dtags -Wl,-rpath,'$libraries' "\$@"
END
  chmod +x "$2/script-linker"
}

script_linker() {
  local built
  built=$(cached script-linker "$COUNTERSIGN_TOOLS" "@${BASH_SOURCE[0]}" -- script_linker_build "$COUNTERSIGN_TOOLS")
  printf '%s/script-linker\n' "$built"
}

# Sets the variables of a cross build in the calling shell; what belongs to the target alone carries its name,
# so that build scripts for the machine are not misled.
s390x_environment() {
  local root=$1 multiarch=usr/lib/s390x-linux-gnu target_dir=$2 tools=$COUNTERSIGN_TOOLS linker
  local name=${S390X_TARGET//-/_} cargo_home=${CARGO_HOME:-$HOME/.cargo}
  linker=$(script_linker)
  export CARGO_TARGET_DIR=$target_dir
  export CARGO_BUILD_TARGET=$S390X_TARGET
  export "CARGO_TARGET_${name^^}_LINKER=$tools/usr/bin/s390x-linux-gnu-gcc"
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=$linker
  export LIBCLANG_PATH=$tools/usr/lib/llvm-19/lib
  # No path of this machine in the program: it is the same wherever it is built.
  export "CARGO_TARGET_${name^^}_RUSTFLAGS=-Clink-arg=--sysroot=$root -Clink-arg=-Wl,--build-id=none \
--remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$target_dir=/target"
  export "CARGO_TARGET_${name^^}_RUNNER=qemu-s390x-static -E LD_LIBRARY_PATH=$root/$multiarch"
  export QEMU_LD_PREFIX=$root
  export "CC_$name=$tools/usr/bin/s390x-linux-gnu-gcc"
  export "AR_$name=$tools/usr/bin/s390x-linux-gnu-ar"
  export "CFLAGS_$name=--sysroot=$root -I$root/usr/include -I$root/usr/include/s390x-linux-gnu"
  export "PKG_CONFIG_ALLOW_CROSS_$name=1"
  export "PKG_CONFIG_SYSROOT_DIR_$name=$root"
  export "PKG_CONFIG_LIBDIR_$name=$root/$multiarch/pkgconfig:$root/usr/share/pkgconfig"
  export "${name^^}_OPENSSL_LIB_DIR=$root/$multiarch"
  export "${name^^}_OPENSSL_INCLUDE_DIR=$root/usr/include"
  export "BINDGEN_EXTRA_CLANG_ARGS_$name=--target=s390x-linux-gnu --sysroot=$root \
-resource-dir=$tools/usr/lib/llvm-19/lib/clang/19 \
-I$root/usr/include -I$root/usr/include/s390x-linux-gnu"
}

prepare_s390x() {
  tools_tree
  sysroot_s390x >/dev/null
}

# Cargo goes by the times of files: what another checkout built counts as ours where our files are older. So what was
# built of the project itself is forgotten when the checkout is another one; dependencies stay. One build at a time, from
# here to the end of cargo, which inherits the lock.
take_target_dir() {
  local checkout
  checkout=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
  mkdir -p "$1"
  exec {TARGET_LOCK}>"$1/.checkout-lock"
  flock "$TARGET_LOCK"
  [[ $(cat "$1/checkout" 2>/dev/null) != "$checkout" ]] || return 0
  find "$1" -path '*/.fingerprint/countersign-*' -prune -exec rm -rf {} +
  printf '%s\n' "$checkout" >"$1/checkout"
}

cargo_s390x() {
  local root target_dir
  tools_tree
  root=$(sysroot_s390x)
  target_dir=${S390X_TARGET_DIR:-$(cache_root)/target-s390x}
  (
    take_target_dir "$target_dir"
    s390x_environment "$root" "$target_dir"
    RUSTC=$COUNTERSIGN_TOOLS/usr/bin/rustc RUSTDOC=$COUNTERSIGN_TOOLS/usr/bin/rustdoc \
      exec "$COUNTERSIGN_TOOLS/usr/bin/cargo" "$@"
  )
}
