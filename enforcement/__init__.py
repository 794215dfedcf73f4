"""Rules about alerts over plain data: matching, responsible areas, states, deadlines, evidence and exports."""
