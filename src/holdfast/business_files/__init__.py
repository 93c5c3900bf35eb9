"""Business files: a whole business in one readable TOML file, read, checked and imported (K-2)."""
