"""What a person may ask of a business about themselves: to be told what it keeps, and to be forgotten."""
