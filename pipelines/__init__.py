"""Apache Beam: images in, sharded features of a performer out."""
