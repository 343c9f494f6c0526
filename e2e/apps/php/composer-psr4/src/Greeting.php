<?php

declare(strict_types=1);

namespace App;

final class Greeting
{
    public function to(string $name): string
    {
        return "Hello from $name";
    }
}
