"""The maps of a frozen backbone, kept so that no image passes through it twice."""
