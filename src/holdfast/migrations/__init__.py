"""Versioned SQL, run once each and in order by `holdfast migrate`."""
