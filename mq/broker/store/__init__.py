"""The store: commit log, consume queues, message index, snapshots. It plans reads and writes; a host carries them out."""
