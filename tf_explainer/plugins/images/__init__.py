"""The Explained images plugin: which parts decide the class of an image, and by how much."""
