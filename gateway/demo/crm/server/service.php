<?php
/*
 * The operations of crm.wsdl (document/literal wrapped: one object in, one object out). PHP checks neither
 * enumerations nor patterns nor lengths, so the service does.
 */
declare(strict_types=1);

final class CustomerService
{
    private const STATUSES = ['ACTIVE', 'DORMANT', 'CLOSED'];
    /** Element of CustomerChanges => column. */
    private const COLUMNS = [
        'Name' => 'name', 'Status' => 'status', 'Email' => 'email', 'Phone' => 'phone',
        'CreditLimit' => 'credit_limit', 'FavouriteSku' => 'favourite_sku',
    ];
    private const ADDRESS = ['Street' => 'street', 'City' => 'city', 'PostCode' => 'post_code', 'Country' => 'country'];

    public function __construct(private readonly Store $store)
    {
    }

    /** The header was checked before the envelope came here; that it's understood must be said. */
    public function Security(mixed $header): void
    {
    }

    public function GetCustomer(object $in): object
    {
        $id = $in->CustomerId ?? '';
        $this->refuse('GetCustomer', $id, null, self::idProblem($id));
        $row = $this->store->customer($id) ?? $this->notFound('GetCustomer', $id);
        $this->store->note('GetCustomer', $id, null, 'ok');
        return (object) ['Customer' => self::element($row)];
    }

    public function ListCustomers(object $in): object
    {
        $limit = $in->Limit ?? 0;
        $status = $in->Status ?? null;
        $problems = [];
        if ($limit < 1 || $limit > 1000) {
            $problems['Limit'] = 'must be from 1 to 1000';
        }
        if ($status !== null && !in_array($status, self::STATUSES, true)) {
            $problems['Status'] = 'must be ACTIVE, DORMANT or CLOSED';
        }
        $this->refuse('ListCustomers', null, null, $problems);
        $rows = $this->store->customers(
            $in->AfterId ?? '', $limit + 1, $in->City ?? null, $status, $in->NameStartsWith ?? null
        );
        $page = array_slice($rows, 0, $limit);
        $out = (object) ['Customers' => (object) ['Customer' => array_map(self::element(...), $page)]];
        if (count($rows) > $limit) {
            $out->NextAfterId = end($page)['id'];
        }
        $this->store->note('ListCustomers', null, null, 'ok');
        return $out;
    }

    public function UpdateCustomer(object $in): object
    {
        $row = $this->store->transaction(fn (): array => $this->updated($in));
        return (object) ['Customer' => self::element($row)];
    }

    private function updated(object $in): array
    {
        $id = $in->CustomerId ?? '';
        $requestId = $in->RequestId ?? null;
        $this->refuse('UpdateCustomer', $id, $requestId, self::idProblem($id) + self::problems($in->Changes ?? null));
        $digest = hash('sha256', json_encode([$id, $in->Changes]));
        $before = $requestId === null ? null : $this->store->reply($requestId);
        if ($before !== null) {
            $same = $before['digest'] === $digest;
            $this->refuse('UpdateCustomer', $id, $requestId, $same ? [] : ['RequestId' => 'was used for another change']);
            $this->store->note('UpdateCustomer', $id, $requestId, 'repeated');
            return json_decode($before['reply'], true);
        }
        $this->store->customer($id) ?? $this->notFound('UpdateCustomer', $id, $requestId);
        $this->store->update($id, self::columns($in->Changes));
        $row = $this->store->customer($id);
        if ($requestId !== null) {
            $this->store->remember($requestId, $digest, $row);
        }
        $this->store->countWrite();
        $this->store->note('UpdateCustomer', $id, $requestId, 'changed');
        return $row;
    }

    private static function idProblem(string $id): array
    {
        return preg_match('/^C-\d{5}$/D', $id) ? [] : ['CustomerId' => 'must be C- and five digits'];
    }

    /** Field => what is wrong with it. */
    private static function problems(?object $changes): array
    {
        if ($changes === null) {
            return ['Changes' => 'is missing'];
        }
        $found = [];
        $length = isset($changes->Name) ? mb_strlen($changes->Name) : 1;
        if ($length < 1 || $length > 80) {
            $found['Name'] = 'must have 1 to 80 characters';
        }
        if (isset($changes->Status) && !in_array($changes->Status, self::STATUSES, true)) {
            $found['Status'] = 'must be ACTIVE, DORMANT or CLOSED';
        }
        if (isset($changes->Email) && !preg_match('/^[^@\s]+@[^@\s]+\.[^@\s]+$/', $changes->Email)) {
            $found['Email'] = 'is no mail address';
        }
        if (isset($changes->CreditLimit) && !preg_match('/^\d{1,11}(\.\d{1,2})?$/', $changes->CreditLimit)) {
            $found['CreditLimit'] = 'must be an amount from 0 with at most two decimals';
        } elseif (isset($changes->CreditLimit) && (float) $changes->CreditLimit > 500_000) {
            $found['CreditLimit'] = 'is above 500000.00, which the board must grant';
        }
        if (isset($changes->Address) && !preg_match('/^[A-Z]{2}$/', $changes->Address->Country)) {
            $found['Address.Country'] = 'must be two capital letters';
        }
        return $found;
    }

    /** Column => new value, for what is given; nil clears. */
    private static function columns(object $changes): array
    {
        $columns = ['updated_at' => gmdate('Y-m-d\TH:i:s\Z')];
        foreach (self::COLUMNS as $element => $column) {
            if (property_exists($changes, $element)) {
                $columns[$column] = $changes->$element;
            }
        }
        if (array_key_exists('email', $columns)) {
            $columns['no_email'] = $columns['email'] === null ? 1 : 0;
        }
        if (isset($columns['credit_limit'])) {
            $columns['credit_limit'] = with_cents($columns['credit_limit']);
        }
        foreach (isset($changes->Address) ? self::ADDRESS : [] as $element => $column) {
            $columns[$column] = $changes->Address->$element;
        }
        return $columns;
    }

    /** A row as the WSDL's type Customer: what isn't known is left out, what is known not to exist is nil. */
    private static function element(array $row): object
    {
        $customer = ['Id' => $row['id'], 'Name' => $row['name'], 'Status' => $row['status']];
        if ($row['email'] !== null || $row['no_email']) {
            $customer['Email'] = $row['email'];
        }
        if ($row['phone'] !== null) {
            $customer['Phone'] = $row['phone'];
        }
        $customer += [
            'Balance' => $row['balance'], 'CreditLimit' => $row['credit_limit'],
            'CreatedAt' => $row['created_at'], 'UpdatedAt' => $row['updated_at'],
            'Address' => (object) [
                'Street' => $row['street'], 'City' => $row['city'],
                'PostCode' => $row['post_code'], 'Country' => $row['country'],
            ],
            'Contacts' => (object) ['Contact' => json_decode($row['contacts'])],
        ];
        if ($row['favourite_sku'] !== null) {
            $customer['FavouriteSku'] = $row['favourite_sku'];
        }
        $customer['Note'] = json_decode($row['notes']);
        return (object) $customer;
    }

    private function notFound(string $operation, string $id, ?string $requestId = null): never
    {
        $this->store->note($operation, $id, $requestId, 'not found');
        throw new SoapFault('Client', "There is no customer $id.", null, (object) ['CustomerId' => $id], 'CustomerNotFound');
    }

    /** Throws the ValidationFault of these problems, if there are any. */
    private function refuse(string $operation, ?string $id, ?string $requestId, array $problems): void
    {
        if ($problems === []) {
            return;
        }
        $this->store->note($operation, $id, $requestId, 'invalid');
        $list = [];
        foreach ($problems as $field => $message) {
            $list[] = (object) ['Field' => $field, 'Message' => $message];
        }
        throw new SoapFault('Client', 'The request is invalid.', null, (object) ['Problem' => $list], 'ValidationFault');
    }
}

/** A decimal as text with exactly two decimals, without going through a float. */
function with_cents(string $amount): string
{
    [$whole, $cents] = explode('.', $amount . '.');
    return (ltrim($whole, '0') ?: '0') . '.' . str_pad(rtrim($cents, '.'), 2, '0');
}
