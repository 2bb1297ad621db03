"""The network that is explained: read from a file or built on a backbone, and what is known of its layers."""
