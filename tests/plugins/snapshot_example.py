"""A small snapshot with known content, and TensorBoard's server on a log directory."""

import dataclasses
import time

import numpy as np
import tensorflow as tf
from tensorboard import program
from tensorboard.backend import application
from tensorboard.plugins.core import core_plugin
from werkzeug.test import Client

from tf_explainer.explanation.attribution import Attribution
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.plugins.images import summary as image_summary
from tf_explainer.plugins.images.plugin import ImagesLoader
from tf_explainer.plugins.images.summary import ClassScores, ImageScores
from tf_explainer.plugins.parts import summary
from tf_explainer.plugins.parts.plugin import PartsLoader
from tf_explainer.plugins.parts.snapshot import Images, Snapshot

SIDE, FILTERS, IMAGES, CROP = 5, 7, 9, 40
PARTS = 1
GRID = UnitGrid(side=SIDE, first=0.1, spacing=0.2, extent=0.3)
CLASSES = "fox", "cat"
HOSTILE = "<img src=x onerror=alert(1)>"


def some_maps(seed=0):
    """Rectified noise; filter 3 is dead, filter 5 repeats filter 2."""
    maps = np.maximum(np.random.default_rng(seed).normal(size=(IMAGES, SIDE, SIDE, FILTERS)), 0)
    maps[..., 3] = 0
    maps[..., 5] = 3 * maps[..., 2]
    return maps.astype(np.float32)


def some_images(classes=CLASSES):
    random = np.random.default_rng(1)
    crops = np.repeat(random.integers(0, 256, (IMAGES, 1, 1, 3), np.uint8), CROP, 1).repeat(CROP, 2)
    return Images.of(
        crops,
        ids=[f"{HOSTILE}{n}" for n in range(IMAGES)],
        classes=classes,
        labels=np.arange(IMAGES) % 2,
        landmark_names=("head",),
        landmarks=np.where(
            np.arange(IMAGES)[:, None, None] == 4, np.nan, random.uniform(size=(IMAGES, 1, 2))
        ),
    )


EVIDENCE = {"distance": 1.5, "concentration": 5.2, "pairs": 6}


def what_is_known(classes=CLASSES):
    """Of the part."""
    fox, cat = classes
    return {
        "name": "head",
        "in_class": {cat: "ear"},
        "followed": {fox: {"landmark": "head", "found": 0.93, "chance": 0.31}},
        "evidence": EVIDENCE,
    }


def some_snapshot(seed=0, *, old=False, classes=CLASSES):
    """A snapshot; old: as written before parts had names by class."""
    performer = summary.of_maps("performer", "performer's block", some_maps(seed + 10), GRID)
    parts = summary.of_maps("block/parts", "parts", some_maps(seed), GRID, [performer])
    figures = [
        dataclasses.replace(
            figure,
            names=["head, 93 % of images against 31 % by chance"],
            groups=[] if old else [what_is_known(classes)],
        )
        if figure.kind == "group"
        else figure
        for figure in parts.figures
    ]
    parts = dataclasses.replace(parts, figures=figures)
    return Snapshot(
        images=some_images(classes), layers=[parts, performer], notes={"p": "0.5", "explainer": "c0ffee"}
    )


def some_scores(seed=0, *, removed=True, classes=CLASSES, mistaken=()):
    """Scores of the classes; mistaken: images that are taken for the other one."""
    random = np.random.default_rng(seed)
    named = np.arange(IMAGES) % 2
    named[list(mistaken)] = 1 - named[list(mistaken)]
    ranked = [
        ClassScores(classes=labels, attribution=_some_attribution(random)) for labels in (named, 1 - named)
    ]
    return ImageScores(
        layer="block/parts",
        names=classes,
        ranked=ranked,
        explainer_scores=random.normal(size=(IMAGES, 2)),
        performer_scores=random.uniform(size=(IMAGES, 2)),
        method="integrated gradients in 50 steps, from an average image",
        lost=random.normal(size=(IMAGES, 2, PARTS + 1)) if removed else None,
    )


def _some_attribution(random):
    parts, ordinary = (
        random.normal(size=(IMAGES, SIDE, SIDE, FILTERS)),
        random.normal(size=(IMAGES, SIDE, SIDE)),
    )
    return Attribution(
        scores=random.normal(size=IMAGES),
        baseline=random.normal(size=IMAGES),
        parts=parts.sum(axis=(1, 2)),
        ordinary=ordinary.sum(axis=(1, 2)),
        interpretable_maps=parts.sum(axis=3),
        ordinary_maps=ordinary,
    )


def write_run(folder, steps=(2, 30), *, old=False, seed=0, classes=CLASSES, mistaken=()):
    """Writes a run with one snapshot a step; old: without what was added later."""
    with tf.summary.create_file_writer(str(folder)).as_default():
        for n, step in enumerate(steps):
            snapshot = some_snapshot(seed + n, old=old, classes=classes)
            summary.write(snapshot, step, pictures_step=None if n == 0 else steps[0])
            scores = some_scores(seed + n, removed=not old, classes=classes, mistaken=mistaken)
            image_summary.write(scores, step)


def client_of(logdir, *, fast, loaders=(PartsLoader, ImagesLoader), extra=()):
    """A client of TensorBoard's server, once it has read everything."""
    plugins = [core_plugin.CorePluginLoader(include_debug_info=False), *loaders]
    server = program.TensorBoard(plugins=plugins, assets_zip_provider=lambda: None)
    # Read once: a thread that reads on while the interpreter ends takes the process down.
    once = "--reload_interval=0"
    arguments = ["", f"--logdir={logdir}", f"--load_fast={str(fast).lower()}", once, *extra]
    server.configure(argv=arguments)
    data_provider, multiplexer = server._make_data_provider()
    app = application.TensorBoardWSGIApp(
        server.flags, plugins, data_provider, None, deprecated_multiplexer=multiplexer
    )
    client = Client(app)
    client.keeps_alive, client.multiplexer = server, multiplexer
    return client


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "TensorBoard did not read the event files"
        time.sleep(0.05)
