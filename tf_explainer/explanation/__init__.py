"""Explains images, one or many, and exports explainers."""
