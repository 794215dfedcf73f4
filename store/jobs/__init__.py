"""Job rows: queue, leases, recovery, schedule slots and live processes."""
