"""Figures about alerts: facts of one alert, indicators with numerator and denominator, ranking, charts."""
