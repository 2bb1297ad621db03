"""Explaining images, one or many, and exporting what explains."""
