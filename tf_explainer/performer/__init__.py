"""The network to explain: read from a file or built on a backbone; its layers and their receptive fields."""
