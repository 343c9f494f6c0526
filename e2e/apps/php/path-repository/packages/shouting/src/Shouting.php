<?php

declare(strict_types=1);

namespace Example\Shouting;

final class Shouting
{
    public static function loudly(string $text): string
    {
        return "$text!";
    }
}
