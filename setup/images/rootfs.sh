# shellcheck shell=bash
# Sourced by the image recipes: a Debian root file system made with mmdebstrap and given to Docker under an image's name.
#
# These images stand in for the registry's where no registry can be reached. Whatever this machine needs to reach its
# package sources (a mirror, a proxy, an extra certificate authority) is read from its own configuration and goes into
# the image, because the builds that start from the image need the same.

# shellcheck source=setup/report.sh
. "$(dirname "${BASH_SOURCE[0]}")/../report.sh"
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

ca_bundle=/etc/ssl/certs/ca-certificates.crt

# True when this machine trusts authorities of its own, as machines behind an inspecting proxy do.
has_extra_authorities() {
    [ -n "$(find /usr/local/share/ca-certificates -name '*.crt' -print -quit 2>/dev/null)" ]
}

# without_credentials URL: succeeds when it names no user. An image is no place for a password.
without_credentials() { [[ $1 != *://*@* ]]; }

# docker_changes NAME: fills `changes` with the --change options that every image of ours gets.
docker_changes() {
    changes=(
        --change "LABEL dev.slipway.image.origin=built-locally"
        --change "LABEL dev.slipway.image.name=$1"
        --change "LABEL dev.slipway.image.built=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    )
    if has_extra_authorities; then
        local variable
        for variable in SSL_CERT_FILE NODE_EXTRA_CA_CERTS PIP_CERT REQUESTS_CA_BUNDLE COMPOSER_CAFILE; do
            changes+=(--change "ENV $variable=$ca_bundle")
        done
    fi
}

# apt_sources SUITE: this machine's own Debian mirror for that suite, as one-line sources; nothing on other systems, where
# mmdebstrap's own default is used.
apt_sources() {
    local suite=$1 site label codename host
    host=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016  # the $(...) are apt's
    apt-get indextargets --format '$(REPO_URI)|$(LABEL)|$(CODENAME)' 'Created-By: Packages' 2>/dev/null | sort -u |
        while IFS='|' read -r site label codename; do
            without_credentials "$site" || continue
            case "$label $codename" in
            "Debian $host") printf 'deb %s %s main\ndeb %s %s-updates main\n' "$site" "$suite" "$site" "$suite" ;;
            "Debian-Security $host-security") printf 'deb %s %s-security main\n' "$site" "$suite" ;;
            esac
        done
}

# apt_access: how this machine's apt reaches its mirror, as apt.conf lines: proxies, and whether a mirror that stands still
# (a snapshot, a copy that is refreshed rarely) is accepted when its index has passed its date.
apt_access() {
    apt-config dump --no-empty --format '%f "%v";%n' Acquire 2>/dev/null |
        grep -E '^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date) ' | grep -v '://[^"]*@' || true
}

# configure_clients ROOT: gives the package clients inside ROOT what the clients of this machine are configured with.
configure_clients() {
    local root=$1 value
    if has_extra_authorities; then
        install -d "$root/usr/local/share/ca-certificates" "$root/etc/ssl/certs"
        find /usr/local/share/ca-certificates -name '*.crt' -exec install -m 644 {} "$root/usr/local/share/ca-certificates/" \;
        install -m 644 "$ca_bundle" "$root$ca_bundle"
    fi
    # Every apt-get in a Dockerfile would otherwise leave its .debs in a layer.
    cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'CONF'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
CONF
    apt_access >"$root/etc/apt/apt.conf.d/mirror-access"
    [ -s "$root/etc/apt/apt.conf.d/mirror-access" ] || rm "$root/etc/apt/apt.conf.d/mirror-access"

    local pip_lines=()
    if command -v python3 >/dev/null; then
        for key in index-url extra-index-url trusted-host; do
            value=$(python3 -m pip config list 2>/dev/null | sed -n "s/^[^=]*\.$key='\(.*\)'\$/\1/p" | tail -n 1) || true
            [ -z "$value" ] || ! without_credentials "$value" || pip_lines+=("$key = $value")
        done
    fi
    [ ${#pip_lines[@]} -eq 0 ] || printf '%s\n' '[global]' "${pip_lines[@]}" >"$root/etc/pip.conf"
}

# npm_configuration: this machine's npm registry as an .npmrc line, when one is configured.
npm_configuration() {
    local registry
    registry=$("${npm[@]:-npm}" config list 2>/dev/null | sed -n 's/^registry = "\(.*\)"$/\1/p' | tail -n 1) || true
    [ -z "$registry" ] || ! without_credentials "$registry" || printf 'registry=%s\n' "$registry"
}

# import_debian NAME SUITE PACKAGES HOOK [--change ...]: the image NAME from a fresh SUITE with PACKAGES (comma separated).
# HOOK is a command that gets the root directory as its last word once the packages are in.
import_debian() {
    local image=$1 suite=$2 packages=$3 hook=$4 sources=() access=() changes hooks=() id_file
    shift 4
    system_packages "$image" mmdebstrap debian-archive-keyring ca-certificates
    id_file=$(mktemp)
    docker_changes "$image"
    mapfile -t sources < <(apt_sources "$suite")
    mapfile -t access < <(apt_access)
    [ -z "$hook" ] || hooks+=(--customize-hook="$hook \"\$1\"")
    # usr-is-merged instead of usrmerge, which would bring the whole of Perl into bookworm; without the hook it refuses.
    # The recipes' own directories under /run stay.
    # A pipe that breaks leaves half an image: it gets its name only when the whole of it is there.
    # shellcheck disable=SC2016  # $1 is for the hook's own shell
    if ! mmdebstrap --quiet --variant=minbase --include="ca-certificates,usr-is-merged,$packages" \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --skip=cleanup/run \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' "${access[@]/#/--aptopt=}" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
        --customize-hook="$recipes/configure-clients.sh \"\$1\"" "${hooks[@]}" \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/cache/debconf/*-old "$1"/var/log/*.log "$1"/var/log/apt "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
        --customize-hook='rm -f "$1"/etc/hostname "$1"/etc/resolv.conf; : >"$1"/etc/machine-id' \
        "$suite" - "${sources[@]}" </dev/null |
        docker import "${changes[@]}" --change 'CMD ["bash"]' "$@" - >"$id_file"; then
        [ ! -s "$id_file" ] || docker rmi "$(cat "$id_file")" >/dev/null
        rm -f "$id_file"
        return 1
    fi
    docker tag "$(cat "$id_file")" "$image"
    rm -f "$id_file"
}
