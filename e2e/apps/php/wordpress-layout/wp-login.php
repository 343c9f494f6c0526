<?php

require __DIR__ . '/wp-settings.php';
echo "Log in\n";
