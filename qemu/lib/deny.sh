#!/usr/bin/env bash
# Are the dependencies what .cargo/deny.toml allows? Asked of cargo-deny, which is built from crates.io into the cache.
#
#   cargo_deny               prints the program; built once
#   check_dependencies       licences, sources, forbidden crates, duplicates; advisories where their database can be had
#
# Called in the repository's top folder.

[[ -n ${COUNTERSIGN_DENY_SH:-} ]] && return 0
COUNTERSIGN_DENY_SH=1
# shellcheck source=qemu/lib/toolchain.sh
. "${BASH_SOURCE[0]%/*}/toolchain.sh"

# The newest that the least compiler builds.
CARGO_DENY_VERSION=0.20.2

# Without default features it has no TLS of its own and builds without a C library of cryptography. It needs none: cargo
# fetches the crates, git the advisories.
cargo_deny_build() {
  local work
  work=$(mktemp --directory)
  # Not optimised: 3 min 14 s of processor time instead of 8 min 37 s to build it, and 3 s instead of 1 s for a run.
  quiet "cargo install cargo-deny $CARGO_DENY_VERSION" cargo_host install --quiet --locked --no-default-features \
    --profile dev --config 'profile.dev.debug=false' --target-dir "$work" --root "$1" "cargo-deny@$CARGO_DENY_VERSION"
  rm -rf "$work"
}

cargo_deny() {
  local built
  built=$(cached cargo-deny "$CARGO_DENY_VERSION" -- cargo_deny_build)
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
