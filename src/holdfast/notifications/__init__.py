"""What clients and staff are told: mail with invitations, from the events of bookings, each thing once."""
