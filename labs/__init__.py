"""The labs of the course, and what grades them."""
