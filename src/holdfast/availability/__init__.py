"""When a resource can be booked: opening hours, busy intervals, slots."""
