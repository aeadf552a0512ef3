<?php
/*
 * The CRM's control, on a port of its own so that it answers while the CRM hangs.
 * GET  /control?ledger=N   what is set, how many calls and writes there were, the latest N calls
 * POST /control            {"latency": seconds, "hang": bool, "fail": null | "500" | "html" | "fault"}, any of them
 */
declare(strict_types=1);

require __DIR__ . '/switch.php';
require __DIR__ . '/store.php';

header('Content-Type: application/json');
if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) !== '/control') {
    http_response_code(404);
    exit('{}');
}
$switch = new FailureSwitch(getenv('CRM_SWITCH'));
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $changes = json_decode(file_get_contents('php://input'), true);
    $fail = $changes['fail'] ?? null;
    $latency = $changes['latency'] ?? 0;
    if (!is_array($changes) || array_diff_key($changes, FailureSwitch::OFF) || !is_bool($changes['hang'] ?? false)
        || !(is_int($latency) || is_float($latency)) || $latency < 0 || $latency > 600
        || !in_array($fail, [null, '500', 'html', 'fault'], true)) {
        http_response_code(400);
        exit('{"error": "give latency (0 to 600 seconds), hang (true or false) or fail (null, 500, html or fault)"}');
    }
    $switch->set($changes);
}
$limit = max(0, min(10_000, (int) ($_GET['ledger'] ?? 20)));
echo json_encode($switch->state() + (new Store(getenv('CRM_STORE')))->counts($limit)), "\n";
