"""The options, the log and the pipelines of Beam and Dataflow."""
