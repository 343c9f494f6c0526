#!/usr/bin/env bash
# Everything that must hold before a change is kept, as phases; the first that fails ends the run and is named.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=setup/report.sh
. "$here/report.sh"
cd "$here/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$SLIPWAY_CACHE/target}"
export PATH="$SLIPWAY_CACHE/bin:$PATH:$HOME/.cargo/bin"
export SLIPWAY_TRAEFIK="${SLIPWAY_TRAEFIK:-$SLIPWAY_CACHE/bin/traefik}"
started=$(now_ms)

# step NAME COMMAND...
step() {
    printf '\n==> %s: %s\n' "$1" "${*:2}"
    if ! phase "$@" </dev/null; then
        phase_table "Tests" "$started"
        refuse "$1" "${*:2}" "The phases after it were not run."
    fi
}

step "setup" "$here/all.sh" test
step "build" cargo xtask dist
if cargo nextest --version >/dev/null 2>&1; then
    step "tests" cargo nextest run --workspace --no-fail-fast
else
    step "tests" cargo test --workspace --no-fail-fast --lib --bins --tests
fi
step "documentation tests" cargo test --workspace --doc
step "schema is current" cargo xtask schema --check
step "dependency direction" cargo xtask lint
step "clippy" cargo clippy --workspace --all-targets -- -D warnings
step "formatting" cargo fmt --all --check
phase_table "Tests" "$started"
