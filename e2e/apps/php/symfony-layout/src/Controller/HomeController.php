<?php

declare(strict_types=1);

namespace App\Controller;

final class HomeController
{
    public function index(): string
    {
        return 'Hello from symfony-layout';
    }

    public function environment(string $environment): string
    {
        return $environment;
    }
}
