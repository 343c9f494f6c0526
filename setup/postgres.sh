#!/usr/bin/env bash
# Makes PostgreSQL's server programs present. Nothing is started: tests run private clusters of their own from them.
set -euo pipefail
# shellcheck source=setup/report.sh
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"

name=PostgreSQL
started=$(now_ms)

# newest: the folder of the newest installed server programs.
newest() {
    find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin -type d 2>/dev/null | sort -V | while read -r folder; do
        [ ! -x "$folder/initdb" ] || [ ! -x "$folder/postgres" ] || echo "$folder"
    done | tail -n 1 | grep .
}

if folder=$(newest); then
    finish "$name" "present already ($("$folder/postgres" --version | awk '{ print $3 }'))" "$started"
    exit 0
fi
one_at_a_time postgres
if ! folder=$(newest); then
    begin "$name" "installing"
    # The package would otherwise make and start a cluster of its own, on the usual port.
    without_cluster=/etc/postgresql-common/createcluster.d/slipway.conf
    if [ "$(id -u)" = 0 ]; then
        trap 'rm -f "$without_cluster"' EXIT
        install -d "$(dirname "$without_cluster")"
        echo 'create_main_cluster = false' >"$without_cluster"
    fi
    system_packages "$name" postgresql
    folder=$(newest) || refuse "$name" "the package brought no server programs under /usr/lib/postgresql" "Install PostgreSQL 15 or newer."
fi
finish "$name" "installed ($("$folder/postgres" --version | awk '{ print $3 }'))" "$started"
