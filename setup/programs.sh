#!/usr/bin/env bash
# Makes the programs present that the tests use beside the engine: git, Python with virtual environments, nginx, and a busybox that
# needs no libraries, which is all there is in the base image of the builds' own tests.
set -euo pipefail
# shellcheck source=setup/report.sh
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"

name="test programs"
started=$(now_ms)
command -v git >/dev/null || system_packages "$name" git
system_packages "$name" busybox-static
# One of the examples is a buildpack in Python, made as its README says.
system_packages "$name" python3-venv
# Another is the ingress by nginx. Where Debian would start one by itself, it is stopped: tests run their own.
if ! command -v nginx >/dev/null && ! [ -x /usr/sbin/nginx ]; then
    system_packages "$name" nginx-light
    if [ -d /run/systemd/system ]; then systemctl disable --now nginx >/dev/null 2>&1 || true; fi
fi
finish "$name" "present ($(git --version | cut -d ' ' -f 3), $(busybox 2>/dev/null | head -n 1 | cut -d ' ' -f 2))" "$started"
