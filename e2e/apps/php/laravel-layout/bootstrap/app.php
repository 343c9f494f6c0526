<?php

require dirname(__DIR__) . '/vendor/autoload.php';

$cached = __DIR__ . '/cache/config.php';
$config = is_file($cached) ? require $cached : ['env' => 'not cached'];

return new App\Http\Router(require dirname(__DIR__) . '/routes/web.php', $config);
