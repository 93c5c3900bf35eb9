"""Figures of what has happened, by the days of a business: for its staff, about nobody."""
