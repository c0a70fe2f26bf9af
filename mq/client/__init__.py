"""What our own client decides: ids and bytes of messages, errors and when to repeat a call. It does no I/O.

The part that talks to brokers is `mq.rpc.client`.
"""
