"""Stored features: their format, and their readers."""
