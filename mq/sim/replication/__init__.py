"""A master and its slaves in the simulated world: what they keep, and the three ways in which they fail, each by a seed."""
