"""Leads: who has been in touch, how they are reached, and what happened since."""
