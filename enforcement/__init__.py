"""The life of an alert over plain data: identity across scans, who answers for it, states, clocks, the chained log."""
