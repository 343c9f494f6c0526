#!/usr/bin/env bash
# configure-clients.sh ROOT: a hook for mmdebstrap; see configure_clients.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"
configure_clients "$1"
