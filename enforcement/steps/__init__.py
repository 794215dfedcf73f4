"""Evidence of steps: its form and checks, its words, what later images say, corrected outlines."""
