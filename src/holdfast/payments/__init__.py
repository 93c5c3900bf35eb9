"""Money: payments of bookings, refunds, and what providers tell of them. No provider is called yet."""
