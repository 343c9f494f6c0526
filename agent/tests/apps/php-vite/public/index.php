<?php

$manifest = json_decode(file_get_contents(__DIR__ . '/build/manifest.json'), true);

header('Content-Type: text/plain');
echo 'Hello from PHP with /build/', $manifest['frontend/main.js']['file'];
