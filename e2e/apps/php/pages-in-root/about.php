<?php require 'header.php'; ?>
<h1>About pages-in-root</h1>
