"""Could the tests fail? Takes one guard of the product away at a time, in a copy of the tree, and runs a named test."""
