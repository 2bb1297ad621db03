"""The Parts plugin: a layer's filters, each with the images and places that excite it."""
