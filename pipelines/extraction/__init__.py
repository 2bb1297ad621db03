"""Turns images into shards of features."""
