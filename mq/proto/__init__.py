"""The wire: our `.proto` files and the modules generated from them by `tools/generate_proto.py`."""
