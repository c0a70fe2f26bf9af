"""Exploration: a search that finds the schedule on which a promise breaks, and the shrinker that makes it readable.

`model` says what can be searched, `exhaustive`, `walks` and `coverage` search it, `shrink` makes a story short. `group_model` is
a Raft group as such a model: its events are time-outs, deliveries in any order, proposals and crashes.
"""
