"""The measures of an explanation (method: arXiv:1805.07468 and arXiv:1710.00935), in NumPy.

The maps of filters are processed batch by batch, never all at once: `peaks` keeps one peak per image and
filter, `part_interpretability` the strongest 0.5 % of all units. Places are in units of the crop: (0, 0) is
its top-left corner and (1, 1) its bottom-right corner. Landmarks serve to measure and name parts; no loss
uses them.
"""
