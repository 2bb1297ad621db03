"""Images: their records, crops to the object, folds, and the positions of a map's units in them."""
