<?php

// phar.php: packs Debian's Composer and the libraries it loads into one file, /usr/bin/composer, because Dockerfiles copy
// just that file out of the official image.

$target = '/tmp/composer.phar';
$phar = new Phar($target, 0, 'composer.phar');
$phar->startBuffering();
// Read rather than linked: the data of some libraries is a link to elsewhere in the system.
$folder = new RecursiveDirectoryIterator('/usr/share/php', FilesystemIterator::SKIP_DOTS | FilesystemIterator::FOLLOW_SYMLINKS);
foreach (new RecursiveIteratorIterator($folder) as $file) {
    $phar->addFromString(substr($file->getPathname(), strlen('/usr/')), file_get_contents($file->getPathname()));
}
// Only the file that is run may begin with a shebang.
$phar->addFromString('bin/composer', preg_replace('/^#!.*\n/', '', file_get_contents('/usr/bin/composer')));
$phar->setStub(<<<'STUB'
#!/usr/bin/env php
<?php
Phar::mapPhar('composer.phar');
set_include_path('phar://composer.phar/share/php');
if (!extension_loaded('intl')) {
    // Debian's libraries count on the extension; an image that this file is copied into need not have it.
    require 'Symfony/Polyfill/Intl/Normalizer/autoload.php';
    require 'Symfony/Polyfill/Intl/Grapheme/autoload.php';
}
require 'phar://composer.phar/bin/composer';
__HALT_COMPILER();
STUB);
$phar->stopBuffering();
unset($phar);
chmod($target, 0755);
copy($target, '/usr/bin/composer');
unlink($target);
