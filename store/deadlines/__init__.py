"""Calendar of working days, deadlines of alerts, their escalation, and listed supervision."""
