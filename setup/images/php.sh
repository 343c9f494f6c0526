#!/usr/bin/env bash
# php.sh VERSION: php:VERSION-apache from the PHP and Apache of the Debian release that has that version, with the official image's ways: apache2-foreground,
# docker-php-entrypoint, docker-php-ext-*, PHP_INI_DIR, /var/www/html, logs on the container's output, and directories that
# any user may write to, so that it runs without root.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"

if [ "${1:-}" = --hook ]; then
    version=$2 root=$3 image="php:$2-apache"
    install -m 755 "$recipes/php/"{apache2-foreground,docker-php-entrypoint,docker-php-ext-install,docker-php-ext-enable,docker-php-ext-configure} "$root/usr/local/bin/"
    install -m 644 "$recipes/php/docker-php.conf" "$root/etc/apache2/conf-available/docker-php.conf"

    # `export NAME=value` in envvars becomes "unless it is set already", so that -e APACHE_RUN_USER=... works.
    sed -ri 's/^export ([^ =]+)=(.*)$/: ${\1:=\2}\nexport \1/' "$root/etc/apache2/envvars"
    # Made from inside: /var/run and /var/lock are absolute links, which from outside lead to this machine's own.
    chroot "$root" sh -ec '
        rm -rf /var/www/html /var/log/apache2
        install -d -m 1777 -o www-data -g www-data /var/www/html /var/log/apache2 /var/lock/apache2 /var/run/apache2
        chown www-data:www-data /var/www'
    ln -s /dev/stderr "$root/var/log/apache2/error.log"
    ln -s /dev/stdout "$root/var/log/apache2/access.log"
    ln -s /dev/stdout "$root/var/log/apache2/other_vhosts_access.log"
    # PHP in the server's threads needs prefork, and a name of its own spares every start a warning.
    echo 'ServerName localhost' >"$root/etc/apache2/conf-available/server-name.conf"
    chroot "$root" sh -c 'a2dismod -q mpm_event mpm_worker; a2enmod -q mpm_prefork "php$1" rewrite headers expires remoteip && a2enconf -q docker-php server-name' sh "$version" >/dev/null 2>&1 ||
        refuse "$image" "Apache's modules could not be set up"

    install -d "$root/usr/local/etc/php/conf.d"
    cp "$root/usr/lib/php/$version/php.ini-production" "$root/usr/lib/php/$version/php.ini-development" "$root/usr/local/etc/php/"
    # Debian's own php.ini would come between the app and the defaults the official image has.
    rm -f "$root/etc/php/$version/apache2/php.ini" "$root/etc/php/$version/cli/php.ini"
    ln -s "/usr/bin/php$version" "$root/usr/local/bin/php"
    exit
fi

version=$1
image="php:$version-apache"
case "$version" in
8.2) suite=bookworm ;;
8.4) suite=trixie ;;
*) refuse "$image" "no Debian release has PHP $version" "Use 8.2 or 8.4, or provide the image: docker pull or docker load." ;;
esac
packages="apache2,libapache2-mod-php$version"
for extension in cli curl mbstring opcache readline sqlite3 xml; do packages+=",php$version-$extension"; done
import_debian "$image" "$suite" "netbase,tzdata,$packages" "$recipes/php.sh --hook $version" \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV PHP_INI_DIR=/usr/local/etc/php' --change 'ENV PHPRC=/usr/local/etc/php' \
    --change 'ENV PHP_INI_SCAN_DIR=:/usr/local/etc/php/conf.d' --change "ENV PHP_VERSION=$version" \
    --change 'ENV APACHE_CONFDIR=/etc/apache2' --change 'ENV APACHE_ENVVARS=/etc/apache2/envvars' \
    --change 'WORKDIR /var/www/html' --change 'EXPOSE 80' \
    --change 'ENTRYPOINT ["docker-php-entrypoint"]' --change 'CMD ["apache2-foreground"]'

# `docker import` cannot set the signal that lets Apache finish the requests it has; a container's own setting can.
container=$(docker create --stop-signal SIGWINCH "$image")
docker commit "$container" "$image" >/dev/null
docker rm "$container" >/dev/null
