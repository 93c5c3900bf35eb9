"""What has happened, told to other programs: the log of events, endpoints, and what is delivered to them (H-5)."""
