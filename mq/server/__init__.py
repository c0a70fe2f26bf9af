"""The processes: the loop around the cores, the real disk, configuration and metrics."""
