"""The measures of an explanation (method: arXiv:1805.07468 and arXiv:1710.00935), in NumPy.

Maps are never held together: `peaks` and `part_interpretability` take them in batch by batch and keep one
peak per image and filter, and the strongest half per cent of all units. Places are in units of the crop:
(0, 0) is its top-left and (1, 1) its bottom-right corner. Landmarks are read here and nowhere else.
"""
