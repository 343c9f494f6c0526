#!/usr/bin/env bash
# all.sh [demo|test]: everything a bare machine lacks, for running the demo or also for running the tests (the default).
# The engine comes first, because base images go into it; the rest runs side by side. Run again, it finds all in place.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=setup/report.sh
. "$here/report.sh"

purpose=${1:-test}
case "$purpose" in demo | test) ;; *) refuse setup "what is '$purpose'?" "Say demo or test." ;; esac

started=$(now_ms)
phase "Docker engine" "$here/docker.sh" || exit 1

times=$(mktemp -d)
trap 'rm -rf "$times"' EXIT
names=()
pids=()
# beside NAME COMMAND...: starts a phase that runs beside the others.
beside() {
    local name=$1
    shift
    (
        from=$(now_ms) status=0
        "$@" || status=$?
        seconds_since "$from" >"$times/$name"
        exit "$status"
    ) </dev/null &
    names+=("$name")
    pids+=($!)
}
if [ "$purpose" = test ]; then
    beside "base images" "$here/images.sh" --for-tests
else
    beside "base images" "$here/images.sh"
fi
beside Traefik "$here/traefik.sh"
beside Rust "$here/rust.sh"
if [ "$purpose" = test ]; then
    beside PostgreSQL "$here/postgres.sh"
    beside "test programs" "$here/programs.sh"
fi

failed=()
for index in "${!pids[@]}"; do
    status=0
    wait "${pids[index]}" || status=$?
    [ "$status" = 0 ] || failed+=("${names[index]}")
    phase_ended "${names[index]}" "$(cat "$times/${names[index]}" 2>/dev/null || echo '?')" "$status"
done
phase_table "Setup (those after the engine ran side by side)" "$started"
[ ${#failed[@]} -eq 0 ] || refuse setup "${failed[*]}" "Each one's own lines above say why."
