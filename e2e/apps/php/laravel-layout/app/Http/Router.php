<?php

declare(strict_types=1);

namespace App\Http;

final class Router
{
    public function __construct(private readonly array $routes, private readonly array $config)
    {
    }

    public function handle(string $path): void
    {
        header('Content-Type: text/plain; charset=utf-8');
        if (!isset($this->routes[$path])) {
            http_response_code(404);
            return;
        }
        echo $this->routes[$path]($this->config), "\n";
    }
}
