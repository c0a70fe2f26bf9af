"""Chaos: faults by seed against a real cluster under load, and what must hold in the end."""
