"""Money: payments of bookings, refunds, and what providers tell of them."""
