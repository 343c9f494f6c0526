<?php

require dirname(__DIR__) . '/vendor/autoload.php';

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
(new App\Kernel($_SERVER['APP_ENV'] ?? getenv('APP_ENV') ?: 'dev'))->handle($path);
