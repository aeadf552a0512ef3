<?php
/*
 * WS-Security UsernameToken Profile 1.1, password digest: Base64(SHA-1(nonce + created + password)).
 * A token is good for five minutes and once.
 */
declare(strict_types=1);

final class Refused extends Exception
{
}

final class Security
{
    public const WSSE = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
    private const WSU = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd';
    private const DIGEST = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest';
    private const SECONDS = 300;

    /** Throws Refused unless the request carries a fresh, right and unused token of $user. */
    public static function check(string $request, Store $store, string $user, string $password): void
    {
        $token = self::token($request);
        $nonce = base64_decode($token['Nonce'], true);
        $at = strtotime($token['Created']);
        if ($token['Username'] !== $user || $nonce === false || $nonce === '') {
            throw new Refused('The user name or the password is wrong.');
        }
        $expected = base64_encode(sha1($nonce . $token['Created'] . $password, true));
        if (!hash_equals($expected, $token['Password'])) {
            throw new Refused('The user name or the password is wrong.');
        }
        if ($at === false || abs(time() - $at) > self::SECONDS) {
            throw new Refused('The token is too old or from the future.');
        }
        if (!$store->firstUse($token['Nonce'], $at, time() - 2 * self::SECONDS)) {
            throw new Refused('The token was used before.');
        }
    }

    /** The texts of the UsernameToken's elements. */
    private static function token(string $request): array
    {
        $document = new DOMDocument();
        if (stripos($request, '<!DOCTYPE') !== false || !@$document->loadXML($request, LIBXML_NONET)) {
            throw new Refused('The envelope is not XML, or has a document type.');
        }
        $xpath = new DOMXPath($document);
        $xpath->registerNamespace('wsse', self::WSSE);
        $xpath->registerNamespace('wsu', self::WSU);
        $found = $xpath->query('/*/*[local-name()="Header"]/wsse:Security/wsse:UsernameToken');
        if ($found->length !== 1) {
            throw new Refused('The request carries no UsernameToken.');
        }
        $read = fn (string $name): string => trim($xpath->evaluate("string($name)", $found->item(0)));
        if ($read('wsse:Password/@Type') !== self::DIGEST) {
            throw new Refused('The password must be given as a digest.');
        }
        return [
            'Username' => $read('wsse:Username'), 'Password' => $read('wsse:Password'),
            'Nonce' => $read('wsse:Nonce'), 'Created' => $read('wsu:Created'),
        ];
    }
}
