"""What maintains the repository; nothing in `mq` imports it."""
