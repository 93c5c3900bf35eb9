"""Measures Holdfast against plain PostgreSQL on the same machine, and checks every place that it acknowledged."""
