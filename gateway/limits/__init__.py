"""How often, how many at once, how much a day: rules become counters that all workers share."""
