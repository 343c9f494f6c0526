#!/usr/bin/env bash
# Makes a Docker engine answer: uses the one that runs, else starts the one that is installed, else installs Debian's.
# Works with systemd and without (containers, small VMs), and repairs what a killed engine leaves behind.
set -euo pipefail
# shellcheck source=setup/report.sh
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"

name="Docker engine"
socket=/var/run/docker.sock
log=/var/log/dockerd.log
started=$(now_ms)

case "${DOCKER_HOST:-}" in
'') ;;
unix://*) socket=${DOCKER_HOST#unix://} ;;
*) refuse "$name" "DOCKER_HOST is $DOCKER_HOST; builds and apps need an engine on this machine" "Unset DOCKER_HOST, or set it to unix:///path/to/docker.sock." ;;
esac

# The API, not the command line: the first `docker` in PATH may be of another version, or absent.
engine() { curl -sf --max-time 3 --unix-socket "$socket" "http://engine/$1"; }
answers() { [ "$(engine _ping 2>/dev/null)" = OK ]; }
version() { engine version 2>/dev/null | sed -n 's/.*"Version":"\([^"]*\)","ApiVersion".*/\1/p'; }

# is_running PID COMMAND: a pid file may name a dead process, a zombie that nobody reaps, or some other program.
is_running() {
    [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null
}

# forget_if_stale PIDFILE COMMAND: dockerd refuses to start beside its own stale pid file, and waits 15 seconds for the
# containerd that a stale one names, then fails.
forget_if_stale() {
    local pid
    [ -f "$1" ] || return 0
    pid=$(cat "$1")
    is_running "${pid:-0}" "$2" || rm -f "$1"
}

mount_cgroups() {
    ! mountpoint -q /sys/fs/cgroup || return 0
    if grep -q '^nodev[[:space:]]cgroup2$' /proc/filesystems && mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null; then
        # Version 2 with no controllers means that version 1 holds them: fall through to that.
        [ ! -s /sys/fs/cgroup/cgroup.controllers ] || return 0
        umount /sys/fs/cgroup
    fi
    mount -t tmpfs -o mode=0755 cgroup /sys/fs/cgroup
    local controller enabled
    while read -r controller _ _ enabled; do
        [ "$enabled" = 1 ] || continue
        mkdir -p "/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" || rmdir "/sys/fs/cgroup/$controller"
    done </proc/cgroups
}

# wait_for_answer SECONDS [PID]: gives up early when the process ends.
wait_for_answer() {
    local deadline=$((SECONDS + $1))
    while [ "$SECONDS" -lt "$deadline" ]; do
        ! answers || return 0
        [ -z "${2:-}" ] || kill -0 "$2" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

start_with_systemd() {
    [ -d /run/systemd/system ] || return 1
    quietly docker-start.log systemctl start docker && wait_for_answer 60
}

start_directly() {
    forget_if_stale /var/run/docker.pid dockerd
    forget_if_stale /var/run/docker/containerd/containerd.pid containerd
    if [ -f /var/run/docker.pid ]; then
        wait_for_answer 15 || refuse "$name" "dockerd (pid $(cat /var/run/docker.pid)) runs but does not answer on $socket" "Look at its log ($log), end it, and run this again."
        return
    fi
    mount_cgroups
    echo 1 2>/dev/null >/proc/sys/net/ipv4/ip_forward || true
    local attempt
    for attempt in 1 2 3; do
        setsid nohup dockerd --host "unix://$socket" >>"$log" 2>&1 </dev/null 9>&- &
        if wait_for_answer 60 $!; then
            return
        fi
        begin "$name" "attempt $attempt did not come up"
        forget_if_stale /var/run/docker/containerd/containerd.pid containerd
    done
    tail -n 20 "$log" >&2
    refuse "$name" "dockerd does not start" "Its last log lines are above ($log). In a container it needs --privileged."
}

system_packages "$name" curl ca-certificates
if answers; then
    finish "$name" "already answers ($(version))" "$started"
    exit 0
fi
one_at_a_time docker-engine
if answers; then
    finish "$name" "already answers ($(version))" "$started"
    exit 0
fi
[ "$(id -u)" = 0 ] || refuse "$name" "nothing answers on $socket, and starting an engine needs root" "Run this as root, or start Docker yourself."
if ! command -v dockerd >/dev/null; then
    begin "$name" "installing docker.io"
    system_packages "$name" docker.io iptables iproute2
fi
start_with_systemd || start_directly
finish "$name" "started ($(version))" "$started"
