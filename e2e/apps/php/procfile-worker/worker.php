<?php

// Works until it is told to stop.
echo "working\n";
while (true) {
    sleep(1);
}
