# shellcheck shell=bash
# Sourced by every setup script: how progress, times and refusals are told, where things are kept, and who may write there.
#
# A finished step is one line, `==> name ... what happened [seconds s]`, written at once, so that steps which run side by
# side do not cut each other's lines in two. A refusal says what is missing and what a person can do about it.

SLIPWAY_CACHE="${SLIPWAY_CACHE:-$HOME/.cache/slipway}"
export SLIPWAY_CACHE
mkdir -p "$SLIPWAY_CACHE/bin" "$SLIPWAY_CACHE/lock" "$SLIPWAY_CACHE/log"

now_ms() { date +%s%3N; }

# seconds_since START_MS: "12.3"
seconds_since() {
    local ms=$(($(now_ms) - $1))
    printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# begin NAME WHAT: announces work that takes long enough for a person to wonder.
begin() { printf '==> %s ... %s\n' "$1" "$2"; }

# finish NAME WHAT START_MS
finish() { printf '==> %s ... %s [%s s]\n' "$1" "$2" "$(seconds_since "$3")"; }

# refuse NAME WHY [WHAT TO DO]: ends the script.
refuse() {
    printf '==> %s ... FAILED: %s\n' "$1" "$2" >&2
    [ -z "${3:-}" ] || printf '    %s\n' "$3" >&2
    exit 1
}

# one_at_a_time NAME: until this script ends, no other one that names the same thing runs. The lock is on descriptor 9;
# a daemon that is started under it must be given `9>&-`, or it would hold the lock for as long as it lives.
one_at_a_time() {
    exec 9>"$SLIPWAY_CACHE/lock/${1//[^A-Za-z0-9._-]/_}"
    flock 9
}

# quietly LOG COMMAND...: runs it with its output in the log; on failure shows the log's end.
quietly() {
    local log="$SLIPWAY_CACHE/log/$1"
    shift
    if ! "$@" >"$log" 2>&1 </dev/null; then
        printf -- '--- the end of %s\n' "$log" >&2
        tail -n 20 "$log" >&2
        return 1
    fi
}

# patiently NAME LOG COMMAND...: quietly, for what takes minutes: every 20 seconds it tells how far the log has come.
patiently() {
    local name=$1 log="$SLIPWAY_CACHE/log/$2" pid heart status=0
    shift 2
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    (
        # A last `sleep` outlives the loop: it must hold neither the output nor a lock.
        exec 9>&-
        while sleep 20 >/dev/null 2>&1 && kill -0 "$pid" 2>/dev/null; do
            begin "$name" "still at it: $(tail -n 1 "$log" | cut -c 1-100 | sed 's/^ *//')"
        done
    ) &
    heart=$!
    wait "$pid" || status=$?
    kill "$heart" 2>/dev/null || true
    wait "$heart" 2>/dev/null || true
    if [ "$status" != 0 ]; then
        printf -- '--- the end of %s\n' "$log" >&2
        tail -n 40 "$log" >&2
    fi
    return "$status"
}

# Phases: parts of a script whose times are told at its end.
phase_names=()
phase_seconds=()
phase_results=()

# phase NAME COMMAND...: in this process's own output.
phase() {
    local name=$1 from status=0
    shift
    from=$(now_ms)
    "$@" || status=$?
    phase_ended "$name" "$(seconds_since "$from")" "$status"
    return "$status"
}

# phase_ended NAME SECONDS STATUS
phase_ended() {
    phase_names+=("$1")
    phase_seconds+=("$2")
    if [ "$3" = 0 ]; then phase_results+=(ok); else phase_results+=(FAILED); fi
}

# phase_table TITLE START_MS
phase_table() {
    local index
    printf '\n%s\n' "$1"
    for index in "${!phase_names[@]}"; do
        printf '  %-28s %8s s  %s\n' "${phase_names[index]}" "${phase_seconds[index]}" "${phase_results[index]}"
    done
    printf '  %-28s %8s s\n' 'from start to end' "$(seconds_since "$2")"
}

# system_packages NAME PACKAGE...: installs those of them that are missing. Debian and Ubuntu only, as root.
system_packages() {
    local name=$1 missing=() package
    shift
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        refuse "$name" "needs ${missing[*]}, and this is not Debian or Ubuntu" "Install them with this system's own package manager."
    [ "$(id -u)" = 0 ] || refuse "$name" "needs ${missing[*]}" "Run as root: apt-get install ${missing[*]}"
    (
        exec 8>"$SLIPWAY_CACHE/lock/apt"
        flock 8
        export DEBIAN_FRONTEND=noninteractive
        # The lists of a fresh machine or image are empty or old; one refresh an hour is enough.
        stamp="$SLIPWAY_CACHE/lock/apt-updated"
        if [ -z "$(find "$stamp" -mmin -60 2>/dev/null)" ]; then
            quietly apt-update.log apt-get update -q -o DPkg::Lock::Timeout=120 && touch "$stamp"
        fi
        quietly "apt-install-${missing[0]}.log" apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}"
    ) || refuse "$name" "apt-get could not install ${missing[*]}" "See above; is a package mirror configured and reachable?"
}
