<?php

declare(strict_types=1);

// The one entry: public/ is the document root, and .htaccess sends every path that is no file here.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

if ($path === '/healthz') {
    header('Content-Type: application/json');
    echo json_encode(['status' => 'ok']), "\n";
    return;
}

header('Content-Type: text/plain; charset=utf-8');

if ($path !== '/') {
    http_response_code(404);
    echo "There is nothing at $path\n";
    return;
}

// The first line says who answers; the rest is for whoever looks at the page.
printf("Hello from PHP %d.%d\n\n", PHP_MAJOR_VERSION, PHP_MINOR_VERSION);
printf("You asked %s.\n", $_SERVER['HTTP_HOST']);
echo "Edit public/index.php and deploy again.\n";
