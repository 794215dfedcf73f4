"""Job queue: claims, leases, recovery, schedule slots and process heartbeats."""
