#!/bin/sh
# entrypoint.sh DIRECTORY: serves it.
set -e
exec busybox httpd -f -p "${PORT:-8080}" -h "$1"
