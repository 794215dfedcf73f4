"""Tables of the enforcement chain: settings, deadlines, evidence, checks on the ground, layers, messages, tips."""
