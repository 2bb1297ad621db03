"""Readers of images: data sets with and without landmarks, behind one protocol (`source.ImageSource`)."""
