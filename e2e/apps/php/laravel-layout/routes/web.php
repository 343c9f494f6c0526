<?php

return [
    '/' => fn (array $config): string => 'Hello from laravel-layout',
    '/config' => fn (array $config): string => "config of {$config['env']}",
];
