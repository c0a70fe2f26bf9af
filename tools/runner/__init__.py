"""What stands behind `run.py`. The standard library only: it runs before anything is installed."""
