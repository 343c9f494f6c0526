<?php require 'header.php'; ?>
<h1>Hello from pages-in-root</h1>
<p><a href="about.php">About</a></p>
