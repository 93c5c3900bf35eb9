"""Clients and staff of the served demo business."""

from booking.conftest import clients, day, served, staffs

__all__ = ["clients", "day", "served", "staffs"]
