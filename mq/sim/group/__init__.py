"""A group of Raft nodes in the deterministic world: network, faults, hosts, checkers, trace."""
