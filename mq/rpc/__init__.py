"""The gRPC edge: the only package that knows protocol buffers.

`methods` lists the RPCs, `validate` checks requests and turns them into plain data, `status` turns errors
into answers, and `wire` handles serialized messages without decoding them.
"""
