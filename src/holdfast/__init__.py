"""Holdfast: self-hosted booking on PostgreSQL that never sells a place twice."""

__version__ = "0.1.0"
