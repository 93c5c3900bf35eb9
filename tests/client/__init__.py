"""Tests of the client; a package, so that their server ends with them."""
