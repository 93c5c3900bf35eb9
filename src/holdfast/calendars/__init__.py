"""External calendars: their connections, and the events that stand for bookings. No calendar is called yet."""
