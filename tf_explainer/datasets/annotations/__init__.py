"""Boxes and landmarks of one's own for the images of a folder."""
