"""Calendar files (RFC 5545): what they say about when somebody is busy or a day is free. Read as a stream."""
