"""Model files and presets: their formats, the code and classes that they need, and their inputs."""
