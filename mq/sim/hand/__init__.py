"""A group of Raft nodes that moves only when it is told to, one verb at a time; and the transcripts written in its language."""
