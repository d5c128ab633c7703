#!/usr/bin/env bash
# Rust for the machine and for the guest.
#
#   cargo_host ARG...      cargo for the machine itself
#   cargo_s390x ARG...     cargo for the guest: target, linker, sysroot and C library variables set
#   prepare_s390x          what cargo_s390x needs, fetched now: for those who want to see the progress of it
#   s390x_target_dir       prints where cargo_s390x puts its results (…/s390x-unknown-linux-gnu/release)
#
# Host: the machine's own cargo and rustc when they are new enough, else rustup from the machine's packages,
# else Debian's compiler (below). Guest: the same compiler where rustup can add the s390x library, else the
# Rust that Debian carries for its web browser, the only one with a ready-made s390x library on an x86-64
# machine. It is unpacked into the cache, not installed. COUNTERSIGN_RUST=debian asks for that one, which is
# also the oldest that the sources promise to build with.

[[ -n ${COUNTERSIGN_TOOLCHAIN_SH:-} ]] && return 0
COUNTERSIGN_TOOLCHAIN_SH=1
# shellcheck source=qemu/lib/sysroot.sh
. "${BASH_SOURCE[0]%/*}/sysroot.sh"
# shellcheck source=qemu/lib/packages.sh
. "${BASH_SOURCE[0]%/*}/packages.sh"

# As `rust-version` in Cargo.toml.
RUST_MINIMUM=1.85
S390X_TARGET=s390x-unknown-linux-gnu
# Debian suite and package suffix of the compiler that is unpacked where nothing else serves.
WEB_SUITE=bookworm

rust_new_enough() {
  local version
  version=$("$1" --version 2>/dev/null | cut -d' ' -f2) || return 1
  [[ -n $version && $(printf '%s\n' "$RUST_MINIMUM" "$version" | sort -V | head -n 1) == "$RUST_MINIMUM" ]]
}

# A rustup of the user may be installed but not on the path of a sudo or CI shell.
toolchain_path() {
  if [[ -d $HOME/.cargo/bin && :$PATH: != *:$HOME/.cargo/bin:* ]]; then PATH=$HOME/.cargo/bin:$PATH; fi
}

web_rust_build() {
  local host=$1 guest=$2 target=$3 tool
  quiet "unpacking Debian's Rust" debian_unpack "$host" "$target"
  quiet "unpacking its s390x library" debian_unpack "$guest" "$target"
  [[ -d $target/usr/lib/rustlib/$S390X_TARGET/lib ]] || die "Debian's Rust has no library for $S390X_TARGET"
  # Its libraries must be found by these programs alone: LD_LIBRARY_PATH would reach the linker and the
  # build scripts, which belong to the machine.
  for tool in rustc rustdoc cargo; do
    # shellcheck disable=SC2016  # the loader's own notation
    patchelf --force-rpath --set-rpath '$ORIGIN/../lib/x86_64-linux-gnu' "$target/usr/bin/$tool"
  done
  # LLVM's own search path would keep the programs' from reaching the libraries that it needs: the machine's, of
  # another release perhaps, would be taken.
  find "$target/usr/lib/x86_64-linux-gnu" -name 'libLLVM*.so*' -type f -exec patchelf --remove-rpath {} +
  rm -rf "$target"/usr/share/{doc,man,locale}
  note "$("$target/usr/bin/rustc" --version), $(size_of "$target")"
}

# Prints the folder with usr/bin/rustc and usr/bin/cargo.
web_rust() {
  local version host guest
  # Both architectures must carry the same build: amd64 often has a newer one without an s390x counterpart.
  version=$(debian_version "$WEB_SUITE" s390x libstd-rust-web-dev)
  guest=$(debian_alone "$WEB_SUITE" s390x rust-s390x "libstd-rust-web-dev=$version")
  # The C library, compiler and linker are the machine's.
  host=$(debian_set "$WEB_SUITE" amd64 rust-amd64 "rustc-web=$version" "cargo-web=$version" \
    "-libc6*" -libc-dev* -libc-bin '-gcc*' '-cpp*' '-binutils*' '-lib*san*' '-libgcc-*-dev' -libgcc-s1 \
    -linux-libc-dev -libisl* -libmpc* -libmpfr* -libgmp* -libctf* '-libbinutils' -libcc1-0 -libgomp1 \
    -libgprofng0 -libatomic1 -libitm1 -libquadmath0 -libcrypt* -libnsl* -libtirpc* -rpcsvc-proto -debconf \
    '-perl*' -libperl*)
  cached rust-web "@$host/packages.lock" "@$guest/packages.lock" "@${BASH_SOURCE[0]}" -- \
    web_rust_build "$host" "$guest"
}

# Where rustup cannot download, it takes its time to find that out: it is asked once a day.
rustup_worth_asking() {
  command -v rustup >/dev/null && [[ -z $(find "$(cache_root)/rustup-refused" -mmin -1440 2>/dev/null) ]]
}

# Prints "RUSTC CARGO" for the machine itself.
host_rust() {
  local web
  toolchain_path
  if [[ ${COUNTERSIGN_RUST:-} == debian ]]; then
    web=$(web_rust)
    printf '%s %s\n' "$web/usr/bin/rustc" "$web/usr/bin/cargo"
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
  web=$(web_rust)
  printf '%s %s\n' "$web/usr/bin/rustc" "$web/usr/bin/cargo"
}

has_s390x_library() {
  local folder
  folder=$("$1" --print target-libdir --target "$S390X_TARGET" 2>/dev/null) && compgen -G "$folder/libstd-*.rlib" >/dev/null
}

# Prints the compiler for the guest: $1 when it has or gets the s390x library, else Debian's.
guest_rustc() {
  local rustc=$1 web
  toolchain_path
  if has_s390x_library "$rustc"; then
    printf '%s\n' "$rustc"
    return
  fi
  if rustup_worth_asking; then
    if quiet "rustup target add $S390X_TARGET" timeout 180 rustup target add "$S390X_TARGET" &&
      has_s390x_library "$rustc"; then
      printf '%s\n' "$rustc"
      return
    fi
    note "rustup cannot add the s390x library: Debian's compiler serves instead"
    touch "$(cache_root)/rustup-refused"
  fi
  web=$(web_rust)
  printf '%s\n' "$web/usr/bin/rustc"
}

# A compiler of rustup is a name to be found in PATH, one that was unpacked a path.
rustdoc_of() { if [[ $1 == */* ]]; then printf '%s/rustdoc\n' "${1%/*}"; else printf 'rustdoc\n'; fi; }

cargo_host() {
  local found
  found=$(host_rust)
  # The documentation tests and links want the compiler's own rustdoc.
  RUSTC=${found% *} RUSTDOC=$(rustdoc_of "${found% *}") "${found#* }" "$@"
}

# Outside the checkout, so that a fresh clone finds its dependencies built.
s390x_target_dir() { printf '%s/target-s390x/%s/release\n' "$(cache_root)" "$S390X_TARGET"; }

# Sets the variables of a cross build in the calling shell; what belongs to the target alone carries its name,
# so that build scripts for the machine are not misled.
s390x_environment() {
  local root=$1 multiarch=usr/lib/s390x-linux-gnu target_dir=$2
  local name=${S390X_TARGET//-/_} cargo_home=${CARGO_HOME:-$HOME/.cargo}
  export CARGO_TARGET_DIR=$target_dir
  export CARGO_BUILD_TARGET=$S390X_TARGET
  export "CARGO_TARGET_${name^^}_LINKER=s390x-linux-gnu-gcc"
  # No path of this machine in the program: it is the same wherever it is built.
  export "CARGO_TARGET_${name^^}_RUSTFLAGS=-Clink-arg=--sysroot=$root -Clink-arg=-Wl,--build-id=none \
--remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$target_dir=/target"
  export "CARGO_TARGET_${name^^}_RUNNER=qemu-s390x-static -E LD_LIBRARY_PATH=$root/$multiarch"
  export QEMU_LD_PREFIX=$root
  export "CC_$name=s390x-linux-gnu-gcc"
  export "CFLAGS_$name=--sysroot=$root -I$root/usr/include -I$root/usr/include/s390x-linux-gnu"
  export "PKG_CONFIG_ALLOW_CROSS_$name=1"
  export "PKG_CONFIG_SYSROOT_DIR_$name=$root"
  export "PKG_CONFIG_LIBDIR_$name=$root/$multiarch/pkgconfig:$root/usr/share/pkgconfig"
  export "${name^^}_OPENSSL_LIB_DIR=$root/$multiarch"
  export "${name^^}_OPENSSL_INCLUDE_DIR=$root/usr/include"
  export "BINDGEN_EXTRA_CLANG_ARGS_$name=--target=s390x-linux-gnu --sysroot=$root \
-I$root/usr/include -I$root/usr/include/s390x-linux-gnu"
}

prepare_s390x() {
  local found
  found=$(host_rust)
  guest_rustc "${found% *}" >/dev/null
  sysroot_s390x >/dev/null
}

cargo_s390x() {
  local found rustc root
  found=$(host_rust)
  rustc=$(guest_rustc "${found% *}")
  root=$(sysroot_s390x)
  (
    s390x_environment "$root" "$(cache_root)/target-s390x"
    RUSTC=$rustc RUSTDOC=$(rustdoc_of "$rustc") exec "${found#* }" "$@"
  )
}
