"""Tips from the public: registration, steps, duplicates, informants."""
