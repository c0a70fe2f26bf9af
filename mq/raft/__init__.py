"""Consensus: a Raft that decides and does nothing else. The host loop, and the order it must keep, are in `mq.raft.output`.

The paper is Diego Ongaro and John Ousterhout, In Search of an Understandable Consensus Algorithm (extended version), 2014.
The thesis is Diego Ongaro, Consensus: Bridging Theory and Practice, 2014.
"""
