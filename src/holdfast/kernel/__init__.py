"""What every capability stands on, without a word of the domain."""
