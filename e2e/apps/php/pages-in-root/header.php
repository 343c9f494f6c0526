<!doctype html>
<html lang="en">
<title>pages-in-root on PHP <?= PHP_MAJOR_VERSION ?></title>
