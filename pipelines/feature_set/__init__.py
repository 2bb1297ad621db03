"""A directory of feature shards: its contents, whether it is complete, and which images it lacks."""
