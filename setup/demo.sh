#!/usr/bin/env bash
# The demo: builds Slipway, starts it on this machine and deploys the example apps through its API, with the same command a
# customer uses. Leaves all of it running (`make stop` ends it); run again, it deploys the apps as they are now.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=setup/report.sh
. "$here/report.sh"
# shellcheck source=setup/demo/place.sh
. "$here/demo/place.sh"

apps=(node-express python-flask php-plain dockerfile-app)
checkout=$(cd "$here/.." && pwd)
cd "$checkout"
started=$(now_ms)
one_at_a_time demo

build() {
    local from
    from=$(now_ms)
    begin "Slipway" "building (the first time takes minutes)"
    patiently "Slipway" demo-build.log cargo xtask dist || return 1
    finish "Slipway" "built" "$from"
}

# The two do not need each other: while one waits for the network, the other compiles.
prepare() {
    local pid status=0
    "$here/rust.sh" >/dev/null || return 1
    export PATH="$PATH:$HOME/.cargo/bin"
    build </dev/null &
    pid=$!
    "$here/all.sh" demo </dev/null || status=1
    wait "$pid" || status=1
    return "$status"
}

# is_free HOST:PORT
is_free() { ! (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

# as_administrator COMMAND...: the client, with the administrator's token.
as_administrator() {
    SLIPWAY_TOKEN=$(cat "$demo_data/admin.token") SLIPWAY_URL="http://$demo_listen" \
        NO_PROXY="localhost,127.0.0.1" no_proxy="localhost,127.0.0.1" "$checkout/dist/slipway" "$@"
}

# ready: the API answers, and this machine has reported for work: until then no region has room for an application.
ready() {
    curl -sf --noproxy '*' --max-time 3 "http://$demo_listen/readyz" >/dev/null 2>&1 &&
        as_administrator node list --json 2>/dev/null | grep -q '"status": "ONLINE"'
}

start_platform() {
    local from pid deadline address
    from=$(now_ms)
    if pid=$(platform_pid); then
        # A rebuilt binary has been renamed over the one that runs.
        if [ "$(readlink "/proc/$pid/exe")" = "$checkout/dist/slipway" ] && ready; then
            finish "Slipway" "already running (pid $pid)" "$from"
            return
        fi
        begin "Slipway" "another build of it is running: it is replaced, the apps keep serving"
        end_platform "$pid"
    fi
    # Traefik may have been left running with the apps behind it; it is taken over.
    for address in "$demo_listen" "$demo_agent_listen"; do
        is_free "$address" || refuse "Slipway" "another program listens on $address" "End it, or choose other addresses: see setup/demo/place.sh."
    done
    mkdir -p "$demo_data"
    chmod 700 "$demo_data"
    setsid nohup "$checkout/dist/slipway" up --data "$demo_data" --domain localhost \
        --listen "$demo_listen" --agent-listen "$demo_agent_listen" \
        --ingress "$demo_ingress" --ingress-internal "$demo_ingress_internal" \
        --traefik "$SLIPWAY_CACHE/bin/traefik" >>"$demo_log" 2>&1 </dev/null 9>&- &
    pid=$!
    echo "$pid" >"$demo_pid_file"
    deadline=$((SECONDS + 60))
    until ready; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 30 "$demo_log" >&2
            refuse "Slipway" "did not become ready" "Its last log lines are above; the whole log: $demo_log"
        fi
        sleep 0.1
    done
    finish "Slipway" "is up (pid $pid, API http://$demo_listen/graphql)" "$from"
}

# deploy APP: leaves the deployment in results/APP.json and the app's first line in results/APP.line.
deploy() {
    local app=$1 from url host
    from=$(now_ms)
    if ! as_administrator deploy "examples/$app" --name "$app" --json >"$results/$app.json" 2>"$results/$app.log"; then
        printf -- '--- the end of the deployment of %s\n' "$app" >&2
        tail -n 30 "$results/$app.log" >&2
        python3 "$here/demo/table.py" --why "$results/$app.json" >&2 || true
        refuse "$app" "was not deployed" "Slipway's own log: $demo_log"
    fi
    url=$(python3 "$here/demo/table.py" --url "$results/$app.json")
    host=${url#*://}
    host=${host%%[:/]*}
    # Not every resolver knows that *.localhost is this machine, though browsers do.
    curl -sS --noproxy '*' --fail --max-time 10 --resolve "$host:${demo_ingress##*:}:${demo_ingress%:*}" "$url" >"$results/$app.body" ||
        refuse "$app" "is deployed, but $url does not answer as it should" "Slipway's own log: $demo_log"
    head -n 1 "$results/$app.body" >"$results/$app.line"
    finish "$app" "$(cat "$results/$app.line")" "$from"
}

deploy_apps() {
    local app pids=() failed=0 pid
    for app in "${apps[@]}"; do
        begin "$app" "deploying"
        deploy "$app" </dev/null 9>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    return "$failed"
}

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
phase "setup and build" prepare || refuse "demo" "this machine could not be made ready" "See above."
system_packages "demo" python3 curl
phase "start" start_platform
if ! phase "deploy four apps" deploy_apps; then
    phase_table "Demo" "$started"
    refuse "demo" "not every app was deployed" "Slipway runs on, to be looked at; make stop ends it. Its log: $demo_log"
fi

echo
python3 "$here/demo/table.py" "$results" "${apps[@]}"
phase_table "Demo" "$started"
cat <<TEXT

Open any of the URLs in a browser. Change a file in examples/ and run \`make demo\` again, or deploy one yourself:

  export SLIPWAY_URL=http://$demo_listen SLIPWAY_TOKEN=\$(cat $demo_data/admin.token)
  dist/slipway deploy examples/node-express

\`make stop\` ends it. Log: $demo_log
TEXT
