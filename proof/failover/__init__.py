"""`make failover`: three PostgreSQL nodes under Patroni, whose primary is killed and cut off under load."""
