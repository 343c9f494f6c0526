#!/usr/bin/env bash
# composer.sh: composer:2 from Debian's Composer, as one file that can be copied into images with a PHP of their own.
set -euo pipefail
# shellcheck source=setup/images/rootfs.sh
. "$(dirname "${BASH_SOURCE[0]}")/rootfs.sh"
image=composer:2

if [ "${1:-}" = --hook ]; then
    root=$2
    install -m 755 "$recipes/composer/docker-entrypoint.sh" "$root/docker-entrypoint.sh"
    install -m 644 "$recipes/composer/phar.php" "$root/tmp/phar.php"
    chroot "$root" php -d phar.readonly=0 /tmp/phar.php
    rm "$root/tmp/phar.php"
    mkdir -p "$root/app"
    # Others than root use it too.
    install -d -m 1777 "$root/tmp/cache"
    exit
fi

import_debian "$image" bookworm composer,php-symfony-polyfill-intl-grapheme,php-symfony-polyfill-intl-normalizer,git,unzip,zip,openssh-client,php8.2-cli,php8.2-curl,php8.2-mbstring,php8.2-xml,php8.2-zip "$recipes/composer.sh --hook" \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV COMPOSER_ALLOW_SUPERUSER=1' --change 'ENV COMPOSER_HOME=/tmp' --change 'ENV COMPOSER_CACHE_DIR=/tmp/cache' \
    --change 'WORKDIR /app' --change 'ENTRYPOINT ["/docker-entrypoint.sh"]' --change 'CMD ["composer"]'
