<?php

return [
    '/' => [App\Controller\HomeController::class, 'index'],
    '/environment' => [App\Controller\HomeController::class, 'environment'],
];
