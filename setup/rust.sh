#!/usr/bin/env bash
# Checks the Rust toolchain, and makes the target present that buildpacks compile to (wasm32-wasip2), with the C compiler
# that a few dependencies need (SQLite, ring).
#
# Where rustup's host cannot be reached, rust-wasm-debian.sh makes a second compiler from Debian's packages, for that
# target only; `cargo xtask dist` uses $SLIPWAY_CACHE/wasm-rustc/bin/rustc when it is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=setup/report.sh
. "$here/report.sh"

name=Rust
target=wasm32-wasip2
started=$(now_ms)
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/../Cargo.toml")

# rustup puts itself here; a shell that never read its profile does not know.
command -v cargo >/dev/null || export PATH="$HOME/.cargo/bin:$PATH"
command -v cargo >/dev/null ||
    refuse "$name" "there is no cargo" "Install Rust $wanted or newer with rustup (see the Rust project's site), then run this again."
version=$(rustc --version | awk '{ print $2 }')
[ "$(printf '%s\n%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ] ||
    refuse "$name" "rustc is $version, and Slipway needs $wanted" "Run: rustup update stable"

command -v cc >/dev/null || system_packages "$name" gcc libc6-dev

has_target() { [ -n "$(find "$(rustc --print sysroot)/lib/rustlib/$target/lib" -name 'libstd-*.rlib' -print -quit 2>/dev/null)" ]; }
if has_target; then
    finish "$name" "present already ($version, $target)" "$started"
    exit 0
fi
one_at_a_time rust-target
if ! has_target && command -v rustup >/dev/null; then
    begin "$name" "adding the target $target"
    quietly rustup-target.log timeout 180 rustup target add "$target" || begin "$name" "rustup could not add $target"
fi
if has_target; then
    finish "$name" "the target $target was added ($version)" "$started"
    exit 0
fi
"$here/rust-wasm-debian.sh" ||
    refuse "$name" "the target $target cannot be had" "Run: rustup target add $target, where its host can be reached."
