"""A directory of feature shards: what is in it, whether it is whole, and what could not be used."""
