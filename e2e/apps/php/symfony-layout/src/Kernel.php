<?php

declare(strict_types=1);

namespace App;

final class Kernel
{
    public function __construct(private readonly string $environment)
    {
    }

    public function handle(string $path): void
    {
        $route = (require dirname(__DIR__) . '/config/routes.php')[$path] ?? null;
        header('Content-Type: text/plain; charset=utf-8');
        if ($route === null) {
            http_response_code(404);
            return;
        }
        [$controller, $method] = $route;
        echo (new $controller())->$method($this->environment), "\n";
    }

    public function run(string $command): void
    {
        echo "$command in {$this->environment}\n";
    }
}
