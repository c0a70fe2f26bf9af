"""Delivery: who got which message, for how long it is hidden from the others, and what comes back."""
