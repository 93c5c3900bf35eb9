"""Bookings from hold to outcome: admission, appointments, places in groups."""
