"""The explainer network: its layers, templates and losses, in Keras alone."""
