"""Pages to review alerts, their evidence and exports."""
