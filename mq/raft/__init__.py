"""Consensus: a Raft that decides and does nothing else. The host loop, and the order it must keep, are in `mq.raft.output`.

Paper: Diego Ongaro and John Ousterhout, In Search of an Understandable Consensus Algorithm (extended version), 2014.
Thesis: Diego Ongaro, Consensus: Bridging Theory and Practice, 2014.
"""
