"""Tips from the public: kinds, clocks, and what of them is shown to whom."""
