"""The deterministic world: one seed gives one run, byte for byte.

Its clock, its disk and its chance are the twins of the real ones (`mq.server.disk`), so that the same cores run
here, in the grader, in a notebook and in the real process.
"""
