"""Writes snapshots for the Parts plugin, of any convolutional layer of any Keras model.

```python
from tf_explainer.plugins.parts import summary

snapshot = summary.of_model(model, ["block5_conv3"], images)
with tf.summary.create_file_writer("logs/parts").as_default():
    summary.write(snapshot, step=0)
```
Then `tensorboard --logdir=logs` shows the tab Parts. Snapshots need their own writer, which makes them a run
of their own, and steps must rise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_explainer.errors import UserError
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.performer import layer_graph
from tf_explainer.performer.receptive_field import receptive_field
from tf_explainer.plugins.parts import metadata, pictures, quantised_maps, square_canvas
from tf_explainer.plugins.parts.response_figures import response_figures
from tf_explainer.plugins.parts.snapshot import Images, Layer, Snapshot
from tf_explainer.plugins.summary_tags import write_blobs, write_tensor

_BATCH_SIZE = 32


def write(snapshot: Snapshot, step: int, *, pictures_step: int | None = None) -> None:
    """Writes a snapshot to the default summary writer.

    Args:
        snapshot: of the network in its current state.
        step: of the training; must rise from call to call.
        pictures_step: an earlier step at which the same images were written to the same run; they are not
            written again. None: write them.
    """
    if pictures_step is None:
        write_blobs(metadata.PLUGIN_NAME, metadata.CROPS, pictures.crops(snapshot.images.crops), step)
        write_blobs(metadata.PLUGIN_NAME, metadata.SPRITES, pictures.sprites(snapshot.images.crops), step)
    for layer in snapshot.layers:
        blobs = {
            metadata.PEAKS: [quantised_maps.peaks_blob(layer.maps, layer.scales)],
            metadata.TOPS: [quantised_maps.tops_blob(layer.maps)],
            metadata.MAPS: [quantised_maps.packed(maps.tobytes()) for maps in layer.maps],
        }
        if layer.part_maps is not None and len(layer.part_maps):
            blobs[metadata.PART_MAPS] = [quantised_maps.packed(maps.tobytes()) for maps in layer.part_maps]
        for kind, content in blobs.items():
            write_blobs(metadata.PLUGIN_NAME, metadata.layer_tag(kind, layer.name), content, step)
        figures = np.stack([figure.values for figure in layer.figures], axis=1).astype(np.float32)
        figures_tag = metadata.layer_tag(metadata.FIGURES, layer.name)
        write_tensor(metadata.PLUGIN_NAME, figures_tag, figures, step)
        keys = [figure.key for figure in layer.figures]
        write_tensor(metadata.PLUGIN_NAME, metadata.layer_tag(metadata.KEYS, layer.name), keys, step)
    # The index is written last, when everything that it names is there.
    index = snapshot.index(step if pictures_step is None else pictures_step)
    write_tensor(metadata.PLUGIN_NAME, metadata.INDEX, json.dumps(index, allow_nan=False), step)


def of_model(model: keras.Model, layers: Sequence[str], images: np.ndarray, **known: Any) -> Snapshot:
    """Takes a snapshot of some layers of a Keras model.

    Args:
        model: a functional model with one image input.
        layers: names of layers whose outputs are feature maps `[N, H', W', D]`; negative values are shown as
            0. The first is shown first, and the filters of the others are compared with it.
        images: `[N, H, W, 3]` uint8. The model gets them unchanged, as float32. If H and W differ, images and
            maps are shown on a square with an empty margin.
        **known: any attributes of `Images`; landmarks in units of the longer side.

    Raises:
        UserError: a layer does not exist, or its output is not feature maps.
    """
    for name in layers:
        _check_layer(model, name)
    places = layer_graph.places(model)
    cut = keras.Model(model.inputs[0], {name: places[name] for name in layers})
    outputs = [
        cut(images[first : first + _BATCH_SIZE].astype(np.float32), training=False)
        for first in range(0, len(images), _BATCH_SIZE)
    ]
    height, width = images.shape[1:3]
    coded: list[Layer] = []
    for name in layers:
        raw_maps = np.concatenate([ops.convert_to_numpy(output[name]) for output in outputs])
        maps = square_canvas.maps(raw_maps, height, width)
        grid = _grid(model, name, images.shape[1:], maps.shape[1])
        coded.append(of_maps(name, name, maps, grid, coded[:1]))
    return Snapshot(images=Images.of(square_canvas.images(images), **known), layers=coded)


def of_maps(
    name: str, title: str, maps: np.ndarray, grid: UnitGrid, compare_with: Sequence[Layer] = ()
) -> Layer:
    """Quantises the maps of a layer, and computes the figures that need nothing else.

    Args:
        name: of the layer.
        title: the displayed name.
        maps: `[N, L, L, F]`, any float dtype.
        grid: where the units lie in the image.
        compare_with: layers in which to find the closest match of each filter.
    """
    coded, scales = quantised_maps.quantised(maps)
    figures = response_figures(coded, scales, grid, compare_with)
    return Layer(name=name, title=title, grid=grid, maps=coded, scales=scales, figures=figures)


def _check_layer(model: keras.Model, name: str) -> None:
    shape = tuple(layer_graph.place(model, name).shape[1:])
    if len(shape) != 3:
        raise UserError(
            f"layer {name!r} has output shape {shape}: choose a layer with feature maps (H, W, D)"
        )


def _grid(model: keras.Model, name: str, image_shape: tuple[int, ...], side: int) -> UnitGrid:
    try:
        if None in model.input_shape[1:3]:
            model = keras.models.clone_model(model, input_tensors=keras.Input(image_shape))
        return UnitGrid.of(receptive_field(model, name), max(image_shape[:2]), side)
    except UserError:
        # No regular geometry: each unit gets its own tile of the image.
        return UnitGrid(side=side, first=0.5 / side, spacing=1 / side, extent=1 / side)
