"""Fitting an explainer to stored features, on any devices, through interruptions."""
