"""What Beam and Dataflow are told."""
