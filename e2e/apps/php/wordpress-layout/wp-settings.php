<?php

foreach (['exif', 'gd', 'intl', 'mysqli', 'zip'] as $extension) {
    if (!extension_loaded($extension)) {
        http_response_code(500);
        exit("The extension $extension is missing.");
    }
}
