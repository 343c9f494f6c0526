#!/usr/bin/env bash
# deno.sh VERSION: denoland/deno:debian-VERSION, from the PyPI package deno, which carries the program.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"
# shellcheck source=setup/images/wheel.sh
. "$(dirname "${BASH_SOURCE[0]}")/wheel.sh"

if [ "${1:-}" = --hook ]; then
    wheel=$2 root=$3
    find "$wheel" -path '*/scripts/deno' -type f -exec install -m 755 {} "$root/usr/bin/deno" \;
    chroot "$root" groupadd --gid 1993 deno
    chroot "$root" useradd --uid 1993 --gid deno --no-create-home deno
    install -d -o 1993 -g 1993 "$root/deno-dir"
    chroot "$root" deno --version >/dev/null
    exit
fi

image="denoland/deno:debian-$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_wheel "$image" "deno==$1" "$work"
import_debian "$image" bookworm "" "$recipes/deno.sh --hook $work/wheel" \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV DENO_DIR=/deno-dir/' --change 'ENV DENO_INSTALL_ROOT=/usr/local' --change "ENV DENO_VERSION=$1" \
    --change 'ENTRYPOINT ["deno"]' --change 'CMD ["--help"]'
