<?php
// Answers what it is asked with: the operations of nasty/matrix, by PHP's own reading and writing of encoded arrays.
$server = new SoapServer($argv[1], ['cache_wsdl' => WSDL_CACHE_NONE]);
function table($value) { return $value; }
function cube($value) { return $value; }
function tables($value) { return $value; }
function points($value) { return $value; }
$server->addFunction(['table', 'cube', 'tables', 'points']);
$server->handle(file_get_contents('php://stdin'));
