"""Stored features: their format, and how they are read."""
