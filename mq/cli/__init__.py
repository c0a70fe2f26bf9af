"""`mq`, the command line. Modules are loaded when their command runs: `mq --help` must be quick."""
