"""How changes of a table are told: by a logical slot, an outbox, the binary log, or a column that grows."""
