"""How a command gets into the log and when it counts: one implementation for each chapter of the story."""
