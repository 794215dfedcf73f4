"""The pages of drone team and inspectors, and the API. Knows nothing of torch."""
