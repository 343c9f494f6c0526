#!/usr/bin/env bash
# stop.sh [--remove-data]: ends what demo.sh started: the platform, its ingress, and the containers and networks that its
# agent made. What other installations on this machine made bears another node's label and is left alone. The data stays,
# so that the next demo continues from it, unless it is to be removed, and the apps' images with it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=setup/report.sh
. "$here/report.sh"
# shellcheck source=setup/demo/place.sh
. "$here/demo/place.sh"

remove_data=
case "${1:-}" in '') ;; --remove-data) remove_data=1 ;; *) refuse "stop" "what is '$1'?" "stop.sh [--remove-data]" ;; esac
one_at_a_time demo

started=$(now_ms)
if pid=$(platform_pid); then
    end_platform "$pid"
    finish "Slipway" "ended (pid $pid)" "$started"
else
    finish "Slipway" "was not running" "$started"
fi

started=$(now_ms)
binary="$here/../dist/slipway"
if [ -x "$binary" ] && [ -e "$demo_data/agent/identity.json" ]; then
    node=$(sed -n 's/^ *"node": *"\([^"]*\)".*/\1/p' "$demo_data/agent/identity.json" | head -n 1)
    mapfile -t images < <(docker ps -aq --filter "label=slipway.node=$node" | xargs -r docker inspect --format '{{.Image}}' | sort -u)
    quietly purge.log "$binary" agent purge --data "$demo_data/agent" && finish "agent" "ingress, containers and networks removed" "$started"
    if [ -n "$remove_data" ] && [ ${#images[@]} -gt 0 ]; then
        docker rmi -f "${images[@]}" >/dev/null 2>&1 || true
    fi
fi
if [ -n "$remove_data" ] && [ -d "$demo_data" ]; then
    rm -rf "$demo_data"
    begin "data" "$demo_data removed"
fi
