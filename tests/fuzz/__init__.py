"""Tests with made-up calls; a package, so that their server ends with them."""
