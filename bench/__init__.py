"""Repeatable benchmarks and the peers that they are measured against; see `README.md`."""
