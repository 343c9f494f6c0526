<?php

declare(strict_types=1);

header('Content-Type: text/plain; charset=utf-8');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (str_starts_with($path, '/greet/')) {
    printf("Good day, %s\n", rawurldecode(substr($path, strlen('/greet/'))));
    return;
}
echo "Hello from front-controller\n";
