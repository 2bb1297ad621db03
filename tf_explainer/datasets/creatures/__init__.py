"""Drawn animals with known landmarks: images without a download, for the demo and the tests."""
