"""The broker's core: commands, the deterministic state machine, delivery, and the store. It does no I/O."""
