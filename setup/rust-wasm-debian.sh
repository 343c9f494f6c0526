#!/usr/bin/env bash
# Makes $SLIPWAY_CACHE/wasm-rustc/bin/rustc: a compiler for wasm32-wasip2 from Debian's packages, for machines that rustup
# cannot serve. Use it as RUSTC for builds of that target, and for nothing else.
#
# Debian unstable carries the target's standard library, prebuilt for its own rustc. Both are unpacked into a folder of
# their own, from the newest index, whose signature apt checks. That rustc is newer than this machine's C library, so it
# runs with the one it came with; linking is done by the component linker of the toolchain that is installed here.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/images/rootfs.sh"

name="Rust for wasm32-wasip2"
folder="$SLIPWAY_CACHE/wasm-rustc"
started=$(now_ms)

one_at_a_time wasm-rustc
if "$folder/bin/rustc" -vV >/dev/null 2>&1; then
    finish "$name" "present already, from Debian ($("$folder/bin/rustc" --version | awk '{ print $2 }'))" "$started"
    exit 0
fi
[ "$(id -u)" = 0 ] || refuse "$name" "unpacking Debian's packages needs root"
case "$(dpkg --print-architecture)" in
amd64) loader=usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 ;;
arm64) loader=usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1 ;;
*) refuse "$name" "there is no recipe for $(dpkg --print-architecture)" ;;
esac
host=$(rustc -vV | sed -n 's/^host: //p')
linkers="$(rustc --print sysroot)/lib/rustlib/$host/bin"
[ -x "$linkers/wasm-component-ld" ] ||
    refuse "$name" "the installed Rust toolchain has no component linker ($linkers)" "Install Rust with rustup, whose toolchains have it."

begin "$name" "unpacking Debian's compiler"
system_packages "$name" mmdebstrap debian-archive-keyring
work=$(mktemp -d "$SLIPWAY_CACHE/wasm-rustc.XXXXXX")
trap 'rm -rf "$work"' EXIT
mapfile -t sources < <(apt_sources sid | grep ' sid main$')
mapfile -t access < <(apt_access)
quietly rust-wasm-debian.log mmdebstrap --quiet --variant=extract --include=rustc,libstd-rust-dev-wasm32 \
    --aptopt='APT::Install-Recommends "false"' "${access[@]/#/--aptopt=}" sid "$work/root" "${sources[@]}" ||
    refuse "$name" "Debian's packages could not be had" "Is unstable on this machine's mirror?"
# Documentation, debuggers and the other targets are most of what came with it.
rm -rf "$work/root/usr/share" "$work/root/usr/include" "$work/root/usr/libexec" "$work/root/var" "$work/root/dev" \
    "$work/root/usr/lib/rustlib/wasm32-unknown-unknown" "$work/root/usr/lib/rustlib/wasm32-wasip1" "$work/root/usr/bin/rustdoc"
mkdir -p "$work/root/bin"
cat >"$work/root/bin/rustc" <<WRAPPER
#!/bin/sh
root='$folder'
for word in "\$@"; do
    case "\$word" in
    wasm32-wasip2 | --target=wasm32-wasip2)
        PATH='$linkers/gcc-ld':"\$PATH"
        export PATH
        set -- "\$@" -C linker='$linkers/wasm-component-ld'
        break
        ;;
    esac
done
exec "\$root/$loader" --library-path "\$root/$(dirname "$loader")" "\$root/usr/bin/rustc" --sysroot "\$root/usr" "\$@"
WRAPPER
chmod 755 "$work/root/bin/rustc" "$work/root"
rm -rf "$folder"
mv "$work/root" "$folder"

# The proof: a component that the linker accepts.
mkdir "$work/proof"
echo 'fn main() { println!("it works"); }' >"$work/proof/main.rs"
quietly rust-wasm-debian.log "$folder/bin/rustc" --target wasm32-wasip2 -o "$work/proof/main.wasm" "$work/proof/main.rs" || {
    rm -rf "$folder"
    refuse "$name" "Debian's compiler does not make components here"
}
finish "$name" "made from Debian ($("$folder/bin/rustc" --version | awk '{ print $2 }'))" "$started"
