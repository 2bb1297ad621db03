"""Measuring a trained explainer, and naming its parts."""
