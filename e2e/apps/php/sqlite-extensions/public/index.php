<?php

declare(strict_types=1);

$database = new PDO('sqlite:/tmp/visits.sqlite3');
$database->exec('CREATE TABLE IF NOT EXISTS visits (at INTEGER)');
$database->prepare('INSERT INTO visits VALUES (?)')->execute([time()]);
$visits = (string) $database->query('SELECT count(*) FROM visits')->fetchColumn();

header('Content-Type: text/plain; charset=utf-8');
printf("Hello from sqlite-extensions\n%s visits, %d letters\n", bcadd($visits, '0'), mb_strlen('größer'));
