"""The words that every other package speaks: ids, entries, disk operations, errors, limits.

Nothing here imports another package of `mq`, and nothing here does any input or output.
"""
