<?php

require __DIR__ . '/../vendor/autoload.php';

header('Content-Type: text/plain; charset=utf-8');
echo (new App\Greeting())->to('composer-psr4'), "\n";
