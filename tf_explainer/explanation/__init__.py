"""Explaining one image, and exporting what explains."""
