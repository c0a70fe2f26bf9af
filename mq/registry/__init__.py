"""Where clients learn which brokers there are: what brokers say of themselves, for how long it holds, and the routes made of it.

A registry node keeps all of it in memory, knows of no other registry node, and may be wrong for a while: that is what it is
allowed to be. The truth about topics is in the log of each broker group. RocketMQ: NameServer.
"""
