#!/bin/sh
# As in the official image: what is no command of the system is one of Composer's.
set -e
if [ "${1#-}" != "$1" ] || ! command -v "$1" >/dev/null 2>&1; then
    set -- composer "$@"
fi
exec "$@"
