"""What can be booked and what it occupies: resources, services, programs."""
