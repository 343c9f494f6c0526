<?php

require __DIR__ . '/../lib/greeting.php';

header('Content-Type: text/plain; charset=utf-8');
echo greeting('web-docroot'), "\n";
