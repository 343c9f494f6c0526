#!/bin/sh
# Makes this machine a worker node of the Slipway platform at @URL@: sets up Docker where there is none, installs the agent and
# Traefik, joins the platform with a token, and starts the agent.
#
# What is fetched is checked against the digests in here before anything of it runs. Check this script against the digest that the
# platform shows together with the token.
set -eu

url='@URL@'
core='@CORE@'
arch='@ARCH@'
slipway_sha256='@SLIPWAY_SHA256@'
traefik_sha256='@TRAEFIK_SHA256@'

usage() {
    cat <<'USAGE'
Usage: sh install.sh [options]

  --token TOKEN  the invitation; read from standard input when left out
  --core URL     where the agent reaches the control plane
  --name NAME    what this machine is called
  --root FOLDER  put everything beneath this folder, for a machine's image; nothing is started
USAGE
}

say() { printf 'slipway: %s\n' "$*"; }
fail() {
    printf 'slipway: %s\n' "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# fetch NAME FILE SHA256: nothing is left where the digest is another one.
fetch() {
    say "fetching $1"
    rm -f "$2"
    if has curl; then
        curl --fail --silent --show-error --output "$2" "$url/download/$1" || fail "$url/download/$1 cannot be fetched"
    elif has wget; then
        wget --quiet --max-redirect=0 --output-document="$2" "$url/download/$1" || fail "$url/download/$1 cannot be fetched"
    else
        fail 'install curl or wget first'
    fi
    if ! printf '%s  %s\n' "$3" "$2" | sha256sum --check --status -; then
        rm -f "$2"
        fail "$1 is not what the platform says it is (its SHA-256 is not $3). Nothing of it was run. Fetch this script again."
    fi
    chmod 755 "$2"
}

docker_present() { has docker && docker info >/dev/null 2>&1; }

set_up_docker() {
    if docker_present; then
        say 'Docker is there'
        return
    fi
    if ! has dockerd; then
        say 'installing Docker'
        if has apt-get; then
            DEBIAN_FRONTEND=noninteractive apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker.io
        elif has dnf; then
            dnf install -y -q docker || dnf install -y -q moby-engine
        elif has zypper; then
            zypper --non-interactive --quiet install docker
        elif has apk; then
            apk add --quiet docker
        else
            fail 'Docker is not there, and this script does not know how to install it here. Install it, then run this again.'
        fi
    fi
    if has systemctl; then
        systemctl enable --now docker
    elif has rc-update; then
        rc-update add docker default
        service docker start
    fi
    tries=0
    until docker_present; do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || fail 'Docker is installed and does not answer. Start it, then run this again.'
        sleep 1
    done
}

write_service() {
    cat >"$1" <<SERVICE
[Unit]
Description=Slipway agent
Wants=network-online.target docker.service
After=network-online.target docker.service

[Service]
ExecStart=/usr/local/lib/slipway/slipway agent run --core $core
Restart=always
RestartSec=2
# Applications and the ingress go on while the agent is restarted.
KillMode=process

[Install]
WantedBy=multi-user.target
SERVICE
}

# In a function that is called at the very end: a script that was cut off on its way does nothing.
main() {
    token=
    name=
    root=
    while [ $# -gt 0 ]; do
        case "$1" in
        --token | --core | --name | --root)
            [ $# -ge 2 ] || fail "$1 wants a value"
            case "$1" in
            --token) token=$2 ;;
            --core) core=$2 ;;
            --name) name=$2 ;;
            --root) root=$2 ;;
            esac
            shift 2
            ;;
        --help)
            usage
            return
            ;;
        *)
            usage >&2
            fail "what is $1?"
            ;;
        esac
    done
    [ "$(uname -s)" = Linux ] || fail 'worker nodes run Linux'
    [ "$(uname -m)" = "$arch" ] || fail "this platform's agent is built for $arch, and this machine is $(uname -m)"
    [ -n "$root" ] || [ "$(id -u)" = 0 ] || fail 'run this as root'
    has sha256sum || fail 'sha256sum is missing; it comes with coreutils'

    [ -n "$root" ] || set_up_docker

    lib="$root/usr/local/lib/slipway"
    data="$root/var/lib/slipway-agent"
    mkdir -p "$lib" "$root/usr/local/bin" "$root/etc/systemd/system"
    fetch slipway "$lib/slipway.new" "$slipway_sha256"
    [ -z "$traefik_sha256" ] || fetch traefik "$lib/traefik.new" "$traefik_sha256"
    # Both are checked: now they take their places, each at once.
    mv -f "$lib/slipway.new" "$lib/slipway"
    [ -z "$traefik_sha256" ] || mv -f "$lib/traefik.new" "$lib/traefik"
    ln -sf ../lib/slipway/slipway "$root/usr/local/bin/slipway"
    write_service "$root/etc/systemd/system/slipway-agent.service"

    if [ -f "$data/identity.json" ]; then
        say 'this machine has joined already; it keeps its identity'
    else
        # Through standard input: whoever lists processes does not see it.
        [ -n "$token" ] || IFS= read -r token || fail 'give the token with --token'
        set -- agent enroll --core "$core" --data "$data"
        [ -z "$name" ] || set -- "$@" --name "$name"
        printf '%s\n' "$token" | "$lib/slipway" "$@" || fail 'this machine could not join; see above'
    fi

    if [ -n "$root" ]; then
        say "everything is beneath $root"
    elif has systemctl; then
        systemctl daemon-reload
        systemctl enable slipway-agent
        systemctl restart slipway-agent
        say 'the agent runs: see "journalctl -u slipway-agent"'
    else
        say "there is no systemd here. Have this run at every start: /usr/local/lib/slipway/slipway agent run --core $core"
    fi
}

main "$@"
