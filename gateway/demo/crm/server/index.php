<?php
/*
 * The CRM's one door: /soap takes SOAP 1.1 and 1.2, /soap?wsdl answers its description.
 * Run by `php -S 127.0.0.1:PORT index.php`; settings come from the environment (CRM_WSDL, CRM_STORE, CRM_SWITCH,
 * CRM_USER, CRM_PASSWORD).
 */
declare(strict_types=1);

require __DIR__ . '/switch.php';
require __DIR__ . '/store.php';
require __DIR__ . '/security.php';
require __DIR__ . '/service.php';

ini_set('display_errors', '0');
date_default_timezone_set('UTC');

if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) !== '/soap') {
    http_response_code(404);
    exit;
}
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    header('Content-Type: text/xml; charset=utf-8');
    $address = 'http://' . $_SERVER['HTTP_HOST'] . '/soap';
    echo str_replace('http://crm.halden-supply.example/soap', $address, file_get_contents(getenv('CRM_WSDL')));
    exit;
}

$store = new Store(getenv('CRM_STORE'));
$request = file_get_contents('php://input');
$misbehaviour = (new FailureSwitch(getenv('CRM_SWITCH')))->suffer();
if ($misbehaviour !== null && $misbehaviour !== 'fault') {
    $store->note('?', null, null, "failed on purpose: $misbehaviour");
    misbehave($misbehaviour);
    exit;
}

if ($misbehaviour === 'fault') {
    $store->note('?', null, null, 'failed on purpose: fault');
    answer_fault('The customer master is being reorganised.');
    exit;
}
try {
    Security::check($request, $store, getenv('CRM_USER'), getenv('CRM_PASSWORD'));
} catch (Refused $refusal) {
    $store->note('?', null, null, 'refused: ' . $refusal->getMessage());
    answer_fault($refusal->getMessage(), 'FailedAuthentication');
    exit;
}
$server = new SoapServer(getenv('CRM_WSDL'), [
    'cache_wsdl' => WSDL_CACHE_MEMORY,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'soap_version' => str_contains($_SERVER['CONTENT_TYPE'] ?? '', 'soap+xml') ? SOAP_1_2 : SOAP_1_1,
]);
$server->setObject(new CustomerService($store));
$server->handle($request);
