"""Start, stop, kill, pause, cut and heal a cluster of brokers, as people and tests do it."""
