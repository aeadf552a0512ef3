<?php
// A real SOAP server for the tests. Order numbers choose what happens; passwords are checked when FIGWAY_PASSWORD is set
// (the user figway's) or FIGWAY_USERS (as JSON, name → password); what is put is noted in FIGWAY_JOURNAL.
const WSS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-';
const NS = 'urn:test:orders';

function raw(int $status, string $type, string $body): never {
    http_response_code($status);
    header("Content-Type: $type");
    echo $body;
    exit;
}

// The user whom a UsernameToken proves, or null.
function proven(string $message, array $users): ?string {
    $document = new DOMDocument();
    $document->loadXML($message);
    $path = new DOMXPath($document);
    $path->registerNamespace('s', WSS . 'secext-1.0.xsd');
    $path->registerNamespace('u', WSS . 'utility-1.0.xsd');
    $user = $path->evaluate('string(//s:UsernameToken/s:Username)');
    $given = $path->evaluate('string(//s:UsernameToken/s:Password)');
    $type = $path->evaluate('string(//s:UsernameToken/s:Password/@Type)');
    $nonce = base64_decode($path->evaluate('string(//s:UsernameToken/s:Nonce)'));
    $created = $path->evaluate('string(//s:UsernameToken/u:Created)');
    $password = $users[$user] ?? '';
    $wanted = str_ends_with($type, '#PasswordDigest') ? base64_encode(sha1($nonce . $created . $password, true)) : $password;
    return isset($users[$user]) && abs(time() - strtotime($created)) < 60 && hash_equals($wanted, $given) ? $user : null;
}

// Who calls, by token, by HTTP authentication, and in which trace; and whether a cookie came along.
function whoami(): string {
    $basic = ($_SERVER['PHP_AUTH_USER'] ?? '') . ':' . ($_SERVER['PHP_AUTH_PW'] ?? '');
    $bearer = $_SERVER['HTTP_AUTHORIZATION'] ?? '';
    preg_match('~<(?:\w+:)?traceparent xmlns:\w+="urn:trace">([^<]*)<~', $GLOBALS['message'], $trace);
    return implode('|', [$GLOBALS['user'] ?? '', $basic, $bearer, $trace[1] ?? '', $_SERVER['HTTP_COOKIE'] ?? '']);
}

class Orders {
    public function GetOrder($request) {
        switch ($request->OrderId) {
            case 404:
                throw new SoapFault('Server', 'no order 404', null, ['OrderId' => 404], 'NotFound');
            case 400: throw new SoapFault('Client', "order 400 isn't wanted, see /srv/www/orders/app.php");
            case 500: throw new SoapFault('Server', "boom in /srv/www/app.php:12\n  at Orders->GetOrder()\nStack trace: #0 main");
            case 501: throw new RuntimeException('an exception that nobody caught');
            case 503: raw(503, 'text/html', '<html><body>down for maintenance</body></html>');
            case 599: raw(500, 'text/xml', '');
            case 206: raw(200, 'text/xml', '<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x');
            case 202: raw(202, 'text/xml', '');
            case 302: header('Location: /elsewhere'); raw(302, 'text/html', '');
            case 99: sleep(5); break;
            case 1000: return (object) ['Order' => $this->order(1000, whoami())];
            case 204: return (object) [];
        }
        return (object) ['Order' => $this->order($request->OrderId)];
    }

    public function ListOrders($request) {
        usleep((int) (($request->Wait ?? 0) * 1e6));
        $lines = [];
        for ($n = 0; $n < $request->Count; $n++) {
            $lines[] = (object) ['Sku' => sprintf('AB-%03d', $n % 1000), 'Quantity' => $n + 1, 'Price' => '12.50', 'Note' => []];
        }
        return (object) ['Line' => $lines];
    }

    public function PutOrder($request) {
        $order = $request->Order;
        if ($order->Customer->Name === 'nobody') {
            $errors = [['Field' => 'Customer/Name', 'Message' => 'is not a name']];
            throw new SoapFault('Client', 'the order is invalid', null, ['Error' => $errors], 'Validation');
        }
        if ($journal = getenv('FIGWAY_JOURNAL')) {
            file_put_contents($journal, $order->Id . "\n", FILE_APPEND | LOCK_EX);
        }
        return (object) ['Order' => $order];
    }

    public function Notify($request) {
    }

    private function order(int $id, string $name = 'Zoë & <Co>'): object {
        $card = (object) ['Paid' => true, 'LastDigits' => '4242'];
        return (object) [
            'version' => 3,
            'Id' => $id,
            'Status' => 'SHIPPED',
            'Customer' => (object) ['Name' => $name, 'Nickname' => null, 'Email' => 'zoe@example.com'],
            'Lines' => (object) ['Line' => [(object) ['Sku' => 'AB-001', 'Quantity' => 2, 'Price' => '9.90', 'Note' => ['blue']]]],
            'Total' => '19.80',
            'Placed' => '2026-03-01T12:00:00',
            'Weight' => (object) ['_' => 1.5, 'unit' => 'kg'],
            'Category' => (object) ['Name' => 'a', 'Category' => [(object) ['Name' => 'b']]],
            'Signature' => 'signed',
            'Payment' => new SoapVar($card, SOAP_ENC_OBJECT, 'CardPayment', NS),
        ];
    }
}

ini_set('soap.wsdl_cache_enabled', '0');
ini_set('display_errors', '0');
$message = file_get_contents('php://input');
if ($_SERVER['REQUEST_METHOD'] === 'GET') {
    raw(200, 'text/xml', file_get_contents(__DIR__ . '/orders.wsdl'));
}
if (isset($_SERVER['HTTP_TRACEPARENT'])) {
    header('X-Seen-Traceparent: ' . $_SERVER['HTTP_TRACEPARENT']);
}
$version = str_ends_with($_SERVER['REQUEST_URI'], '12') ? SOAP_1_2 : SOAP_1_1;
$server = new SoapServer(__DIR__ . '/orders.wsdl', ['soap_version' => $version]);
$server->setClass('Orders');
$password = getenv('FIGWAY_PASSWORD');
$users = $password ? ['figway' => $password] : (array) json_decode(getenv('FIGWAY_USERS') ?: '{}');
$user = proven($message, $users);
setcookie('session', $user ?? 'nobody');
if ($password && $user === null) {
    $server->fault('Client.FailedAuthentication', 'the token is wrong');
}
$server->handle($message);
