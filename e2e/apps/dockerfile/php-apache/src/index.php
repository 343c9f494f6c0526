<?php

echo "Hello from php-apache\n";
