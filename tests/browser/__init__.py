"""Tests of pages; a package, so that their servers and browsers end with them."""
