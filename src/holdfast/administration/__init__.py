"""What staff administer beside bookings: settings and flags, the inbox of what needs a person, texts of messages."""
