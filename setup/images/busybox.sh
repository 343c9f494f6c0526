#!/usr/bin/env bash
# busybox.sh: busybox:1.37, from the program in Debian trixie that needs no libraries: a shell and little else, for programs
# that bring all they need.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"
image=busybox:1.37

system_packages "$image" mmdebstrap debian-archive-keyring ca-certificates
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t sources < <(apt_sources trixie)
mapfile -t access < <(apt_access)
# Downloads the one package and unpacks it; no maintainer script is run.
# shellcheck disable=SC2016  # $1 is for the hook's own shell
mmdebstrap --quiet --variant=extract --include=busybox-static --aptopt='APT::Install-Recommends "false"' "${access[@]/#/--aptopt=}" \
    trixie "$work/debian" "${sources[@]}" </dev/null
mkdir -p "$work/root"/{bin,dev,etc,proc,sys,root,usr/bin,var} "$work/root/home"
install -d -m 1777 "$work/root/tmp"
install -m 755 "$(find "$work/debian" -type f -path '*/bin/busybox' -print -quit)" "$work/root/bin/busybox"
applets=$("$work/root/bin/busybox" --list)
for applet in $applets; do
    [ "$applet" = busybox ] || ln -s busybox "$work/root/bin/$applet"
done
ln -s ../../bin/env "$work/root/usr/bin/env"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' >"$work/root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$work/root/etc/group"
docker_changes "$image"
tar -C "$work/root" --owner=0 --group=0 --numeric-owner -cf - . |
    docker import "${changes[@]}" --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["sh"]' - "$image" >/dev/null
