# shellcheck shell=bash disable=SC2034  # used by the scripts that source it
# Sourced by demo.sh and stop.sh: where the demo keeps its data and where it listens. Set a variable to change one.

demo_data="${SLIPWAY_DEMO_DATA:-$SLIPWAY_CACHE/demo}"
demo_listen="${SLIPWAY_DEMO_LISTEN:-127.0.0.1:7766}"
demo_agent_listen="${SLIPWAY_DEMO_AGENT_LISTEN:-127.0.0.1:7767}"
demo_ingress="${SLIPWAY_DEMO_INGRESS:-127.0.0.1:8080}"
demo_ingress_internal="${SLIPWAY_DEMO_INGRESS_INTERNAL:-127.0.0.1:7768}"
demo_log="$demo_data/slipway.log"
demo_pid_file="$demo_data/slipway.pid"

# platform_pid: prints it when the process that the pid file names runs and is ours. A reboot gives the number to others.
platform_pid() {
    local pid
    pid=$(cat "$demo_pid_file" 2>/dev/null) || return 1
    [ -n "$pid" ] && tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "$demo_data" && echo "$pid"
}

# end_platform PID: asks, waits half a minute, insists.
end_platform() {
    local deadline=$((SECONDS + 30))
    kill -TERM "$1" 2>/dev/null || true
    while kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL "$1" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    rm -f "$demo_pid_file"
}
