"""Copies and unfolded versions of networks, and checks that they compute the same."""
