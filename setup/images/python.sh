#!/usr/bin/env bash
# python.sh VERSION: python:VERSION-slim, from the Debian release that has that version.
#
# The official image has its Python under /usr/local and lets pip write there. A virtual environment whose prefix is
# /usr/local gives the same paths (/usr/local/bin/python3, site-packages) over Debian's interpreter.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"

if [ "${1:-}" = --hook ]; then
    version=$2 root=$3
    chroot "$root" "/usr/bin/python$version" -m venv --copies /usr/local
    # The headers, without the compiler that Debian's development package brings along: who installs gcc can build extensions.
    chroot "$root" sh -c "cd /tmp && apt-get download -qq libpython$version-dev && dpkg-deb --fsys-tarfile libpython$version-dev_*.deb | tar -x -C / ./usr/include && rm libpython$version-dev_*.deb"
    rm -rf "$root/usr/local/bin"/[Aa]ctivate*
    find "$root/usr/lib/python3" "$root/usr/lib/python$version" "$root/usr/local/lib" -name __pycache__ -prune -exec rm -rf {} +
    exit
fi

version=$1
case "$version" in
3.11) suite=bookworm ;;
3.13) suite=trixie ;;
*) refuse "python:$version-slim" "no Debian release has Python $version" "Use 3.11 or 3.13, or provide the image: docker pull or docker load." ;;
esac
import_debian "python:$version-slim" "$suite" "netbase,tzdata,python$version,python$version-venv" "$recipes/python.sh --hook $version" \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' \
    --change "ENV PYTHON_VERSION=$version" \
    --change 'CMD ["python3"]'
