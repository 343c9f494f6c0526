<?php

require __DIR__ . '/server.php';
