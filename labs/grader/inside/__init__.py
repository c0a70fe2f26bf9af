"""What is copied into the process that holds a student's code. It needs nothing but Python's own library."""
