<?php

require __DIR__ . '/wp-settings.php';
require __DIR__ . '/wp-content/themes/plain/index.php';
