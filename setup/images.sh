#!/usr/bin/env bash
# images.sh [--rebuild] [--for-tests] [NAME...]: makes base images present under their usual names, those of the demo by default;
# for the tests also those of the apps that they deploy.
#
# An image that is there already is left alone. Otherwise it is pulled, where a registry answers; otherwise it is built
# here, under the same name and with the same ways (see images/), from Debian's, npm's and PyPI's packages, and labelled
# dev.slipway.image.origin=built-locally.
set -euo pipefail
# shellcheck source=setup/report.sh
. "$(dirname "${BASH_SOURCE[0]}")/report.sh"
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/images" && pwd)

rebuild=
if [ "${1:-}" = --rebuild ]; then
    rebuild=1
    shift
fi
# The order is that of starting: node is laid over debian, and php takes longest.
of_demo=(debian:bookworm-slim php:8.2-apache python:3.13-slim node:22-slim)
if [ "${1:-}" = --for-tests ]; then
    shift
    of_demo+=(php:8.4-apache composer:2 python:3.11-slim node:24-slim)
fi
names=("$@")
[ ${#names[@]} -gt 0 ] || names=("${of_demo[@]}")

# recipe NAME: the words that build it.
recipe() {
    case "$1" in
    debian:bookworm-slim) echo debian.sh bookworm ;;
    debian:trixie-slim) echo debian.sh trixie ;;
    node:20-slim | node:22-slim | node:24-slim) version=${1#node:} && echo node.sh "${version%-slim}" ;;
    python:3.11-slim | python:3.13-slim) version=${1#python:} && echo python.sh "${version%-slim}" ;;
    php:8.2-apache | php:8.4-apache) version=${1#php:} && echo php.sh "${version%-apache}" ;;
    composer:2) echo composer.sh ;;
    golang:1.26-bookworm | golang:1.27-bookworm) version=${1#golang:} && echo go.sh "${version%-bookworm}" ;;
    denoland/deno:debian-2.*) echo deno.sh "${1#denoland/deno:debian-}" ;;
    busybox:1.37) echo busybox.sh ;;
    esac
}

present() { docker image inspect "$1" >/dev/null 2>&1; }

# registry_answers: asks the engine for the description of a small image, without pulling it. The engine knows which
# registry or mirror it is configured with.
registry_answers() {
    local socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
    curl -sf --max-time 5 --unix-socket "${socket#unix://}" http://engine/distribution/debian:bookworm-slim/json >/dev/null 2>&1
}

obtain() {
    local image=$1 started words replaced log="image-${1//[^A-Za-z0-9._-]/_}.log"
    started=$(now_ms)
    read -r -a words <<<"$(recipe "$image")"
    one_at_a_time "image-$image"
    if [ -z "$rebuild" ] && present "$image"; then
        finish "$image" "present already" "$started"
        return
    fi
    if [ -n "$pull" ]; then
        begin "$image" "pulling"
        if quietly "$log" timeout 300 docker pull --quiet "$image"; then
            finish "$image" "pulled" "$started"
            return
        fi
    fi
    [ ${#words[@]} -gt 0 ] || refuse "$image" "no registry gives it and there is no recipe for it" "Provide it with docker pull or docker load. Recipes: debian bookworm|trixie-slim, node 20|22|24-slim, python 3.11|3.13-slim, php 8.2|8.4-apache, composer 2, golang 1.26|1.27-bookworm, denoland/deno debian-2.X.Y, busybox 1.37."
    replaced=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null) || replaced=
    begin "$image" "building from packages"
    quietly "$log" "$recipes/${words[0]}" "${words[@]:1}" || refuse "$image" "its recipe (setup/images/${words[0]}) failed" "The whole log: $SLIPWAY_CACHE/log/$log"
    # Kept when containers or images still use it.
    [ -z "$replaced" ] || docker rmi "$replaced" >/dev/null 2>&1 || true
    finish "$image" "built here, $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB" "$started"
}

wanted=
for image in "${names[@]}"; do
    if [ -n "$rebuild" ] || ! present "$image"; then wanted=1; fi
done
pull=
if [ -n "$wanted" ] && [ -z "$rebuild" ] && registry_answers; then
    pull=1
fi
if [ -n "$wanted" ] && [ -z "$pull" ]; then
    [ "$(id -u)" = 0 ] || refuse "base images" "no registry answers, and building them here needs root" "Run as root, or provide them with docker pull or docker load: ${names[*]}"
    # Once, before the recipes run side by side and each ask for it.
    system_packages "base images" mmdebstrap debian-archive-keyring ca-certificates
fi

failed=0 running=0
for image in "${names[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    obtain "$image" </dev/null &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
