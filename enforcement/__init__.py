"""The life of a lead over plain data: identity across scans, who answers for it, states, clocks, the chained log."""
