"""Stored maps of a frozen backbone, so that it runs only once on every image."""
