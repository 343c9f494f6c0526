<?php

// The name of the script carries a digest, which the build wrote down.
$manifest = json_decode(file_get_contents(__DIR__ . '/build/manifest.json'), true);
?>
<!doctype html>
<html lang="en">
<h1>Hello from vite-assets</h1>
<script type="module" src="/build/<?= $manifest['resources/app.js']['file'] ?>"></script>
