"""What the public sends in, and what staff make of it: questions, their queue, their answers."""
