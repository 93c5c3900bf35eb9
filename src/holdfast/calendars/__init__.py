"""External calendars, both ways: their busy time comes in, appointments go out, people's changes become tasks."""
