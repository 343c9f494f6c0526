<?php

require __DIR__ . '/../vendor/autoload.php';

header('Content-Type: text/plain; charset=utf-8');
echo Example\Shouting\Shouting::loudly('Hello from path-repository'), "\n";
