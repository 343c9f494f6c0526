#!/usr/bin/env bash
# debian.sh SUITE: debian:SUITE-slim.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"
import_debian "debian:$1-slim" "$1" "netbase,tzdata" ""
