"""Boxes and landmarks that users annotate in the images of a folder."""
