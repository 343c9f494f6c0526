<!doctype html>
<html lang="en">
<title>wordpress-layout</title>
<h1>Hello from wordpress-layout</h1>
<p><?= htmlspecialchars($_SERVER['REQUEST_URI']) ?></p>
