<?php
/*
 * The switch by which a demonstration makes the CRM slow, deaf or broken: one small JSON file, read on every call.
 * {"latency": seconds, "hang": bool, "fail": null | "500" | "html" | "fault"}
 */
declare(strict_types=1);

final class FailureSwitch
{
    public const OFF = ['latency' => 0, 'hang' => false, 'fail' => null];

    public function __construct(private readonly string $path)
    {
    }

    /** What is set, every key present. */
    public function state(): array
    {
        $text = @file_get_contents($this->path);
        return array_merge(self::OFF, $text ? json_decode($text, true) : []);
    }

    /** Sets the keys given; the others stay. A half-written file is never seen. */
    public function set(array $changes): array
    {
        $state = array_merge($this->state(), array_intersect_key($changes, self::OFF));
        $aside = $this->path . '.' . getmypid();
        file_put_contents($aside, json_encode($state));
        rename($aside, $this->path);
        return $state;
    }

    /** Waits as the switch says; answers how to fail, or null. A hanging call goes on when the switch is turned back. */
    public function suffer(): ?string
    {
        $state = $this->state();
        while ($state['hang']) {
            usleep(100_000);
            $state = $this->state();
        }
        usleep((int) round($state['latency'] * 1_000_000));
        return $state['fail'];
    }
}

/** Answers what a broken server or a proxy in front of it would. */
function misbehave(string $how): void
{
    if ($how === 'html') {
        http_response_code(503);
        header('Content-Type: text/html');
        header('Retry-After: 5');
        echo "<html><head><title>503 Service Unavailable</title></head><body><h1>Maintenance</h1></body></html>\n";
        return;
    }
    http_response_code(500);
}

/** Answers a fault in the version of the request's envelope; $security names a fault code of WS-Security. */
function answer_fault(string $message, ?string $security = null): void
{
    $is12 = str_contains($_SERVER['CONTENT_TYPE'] ?? '', 'soap+xml');
    http_response_code(500);
    header('Content-Type: ' . ($is12 ? 'application/soap+xml' : 'text/xml') . '; charset=utf-8');
    $wsse = 'xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"';
    if ($is12) {
        $code = $security === null ? '<env:Value>env:Receiver</env:Value>' : '<env:Value>env:Sender</env:Value>'
            . "<env:Subcode><env:Value $wsse>wsse:$security</env:Value></env:Subcode>";
        echo '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body><env:Fault>',
            "<env:Code>$code</env:Code><env:Reason><env:Text xml:lang=\"en\">$message</env:Text></env:Reason>",
            '</env:Fault></env:Body></env:Envelope>';
        return;
    }
    $code = $security === null ? '<faultcode>env:Server</faultcode>' : "<faultcode $wsse>wsse:$security</faultcode>";
    echo '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body><env:Fault>',
        "$code<faultstring>$message</faultstring></env:Fault></env:Body></env:Envelope>";
}
