"""Drawn animals with known landmarks: images without data, for the demo and the tests."""
