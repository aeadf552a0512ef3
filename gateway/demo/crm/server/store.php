<?php
/*
 * The CRM's SQLite file: customers, the tokens used, the replies given to RequestIds, and a ledger of every call.
 */
declare(strict_types=1);

final class Store
{
    private const LEDGER = 10_000;
    private readonly PDO $db;

    public function __construct(string $path)
    {
        $this->db = new PDO('sqlite:' . $path, null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
        // The demo's data is made anew on every start: speed before durability.
        $this->db->exec('PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF');
    }

    /** Does $work in one write transaction. */
    public function transaction(callable $work): mixed
    {
        $this->db->exec('BEGIN IMMEDIATE');
        try {
            $result = $work();
            $this->db->exec('COMMIT');
            return $result;
        } catch (SoapFault $refusal) {
            // A refusal comes before any change: what is kept is its line in the ledger.
            $this->db->exec('COMMIT');
            throw $refusal;
        } catch (Throwable $problem) {
            $this->db->exec('ROLLBACK');
            throw $problem;
        }
    }

    /** Rows of a query with bound parameters, as arrays by column name. */
    private function rows(string $sql, array $parameters = []): array
    {
        $statement = $this->db->prepare($sql);
        foreach ($parameters as $name => $value) {
            $statement->bindValue($name, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
        }
        $statement->execute();
        return $statement->fetchAll(PDO::FETCH_ASSOC);
    }

    public function customer(string $id): ?array
    {
        return $this->rows('SELECT * FROM customers WHERE id = :id', ['id' => $id])[0] ?? null;
    }

    /** At most $limit customers behind $after, in the order of their ids. */
    public function customers(string $after, int $limit, ?string $city, ?string $status, ?string $prefix): array
    {
        $where = ['id > :after'];
        $parameters = ['after' => $after, 'limit' => $limit];
        if ($city !== null) {
            $where[] = 'city = :city';
            $parameters['city'] = $city;
        }
        if ($status !== null) {
            $where[] = 'status = :status';
            $parameters['status'] = $status;
        }
        if ($prefix !== null) {
            $where[] = "name LIKE :prefix ESCAPE '!'";
            $parameters['prefix'] = preg_replace('/([%_!])/', '!$1', $prefix) . '%';
        }
        $sql = 'SELECT * FROM customers WHERE ' . implode(' AND ', $where) . ' ORDER BY id LIMIT :limit';
        return $this->rows($sql, $parameters);
    }

    /** Sets the columns given. Their names are the service's own, never a caller's. */
    public function update(string $id, array $columns): void
    {
        $sets = implode(', ', array_map(fn (string $name): string => "$name = :$name", array_keys($columns)));
        $statement = $this->db->prepare("UPDATE customers SET $sets WHERE id = :id");
        $statement->execute(['id' => $id] + $columns);
    }

    /** The row that was answered to a RequestId, with the digest of what it asked for. */
    public function reply(string $requestId): ?array
    {
        return $this->rows('SELECT * FROM replies WHERE request_id = :id', ['id' => $requestId])[0] ?? null;
    }

    public function remember(string $requestId, string $digest, array $row): void
    {
        $this->db->prepare('INSERT INTO replies (request_id, digest, reply) VALUES (?, ?, ?)')
            ->execute([$requestId, $digest, json_encode($row)]);
    }

    /** False when the nonce was seen before; forgets those from before $horizon. */
    public function firstUse(string $nonce, int $at, int $horizon): bool
    {
        $this->db->prepare('DELETE FROM nonces WHERE at < ?')->execute([$horizon]);
        $statement = $this->db->prepare('INSERT OR IGNORE INTO nonces (nonce, at) VALUES (?, ?)');
        $statement->execute([$nonce, $at]);
        return $statement->rowCount() === 1;
    }

    /** One line in the ledger of calls, which keeps the latest ten thousand. */
    public function note(string $operation, ?string $customerId, ?string $requestId, string $outcome): void
    {
        $this->db->prepare(
            'INSERT INTO ledger (at, operation, customer_id, request_id, traceparent, outcome) VALUES (?, ?, ?, ?, ?, ?)'
        )->execute([
            gmdate('Y-m-d\TH:i:s\Z'), $operation, $customerId, $requestId,
            $_SERVER['HTTP_TRACEPARENT'] ?? null, $outcome,
        ]);
        $last = (int) $this->db->lastInsertId();
        if ($last % 1000 === 0) {
            $this->db->prepare('DELETE FROM ledger WHERE id <= ?')->execute([$last - self::LEDGER]);
        }
    }

    public function countWrite(): void
    {
        $this->db->exec('UPDATE counters SET writes = writes + 1');
    }

    /** {"calls", "writes", "ledger": the latest $limit calls, newest first}. */
    public function counts(int $limit): array
    {
        return [
            'calls' => (int) $this->rows('SELECT coalesce(max(id), 0) AS n FROM ledger')[0]['n'],
            'writes' => (int) $this->rows('SELECT writes FROM counters')[0]['writes'],
            'ledger' => $this->rows('SELECT * FROM ledger ORDER BY id DESC LIMIT :limit', ['limit' => $limit]),
        ];
    }
}
