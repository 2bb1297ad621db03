"""The names, shapes and dtypes in a set of features: a TFRecord for each view of an image, and a manifest.

A record is a `tf.train.Example` with

| key | type | content |
| --- | --- | --- |
| `id` | bytes | the image's id, followed by `#` and the view for views other than the original |
| `view` | bytes | `original`, `flip`, `shift` or `crop` (`tf_explainer.features.views`) |
| `affine` | floats, `[4]` | scale_y, offset_y, scale_x, offset_x: map from the original view to this one |
| `label` | int64 | index into the manifest's `classes` |
| `fold_position` | float | position of the image in [0, 1), by which folds are divided; equal for all views |
| `landmarks` | floats, `[K * 4]` | y, x, height, width per landmark in units of the view; NaN: absent |
| `crop` | bytes | the performer's input as JPEG |
| `scores` | floats, `[num_scores]` | the performer's output |
| `features/LAYER` | bytes, one or three | the layer's output as float16, in the manifest's `encoding` |

Encodings (`tf_explainer.features.feature_coding`), all lossless:

- `float16`: one byte string, the little-endian values in C order, `[H, W, C]` or `[C]`.
- `gzip`: the same, in TFRecord files that are compressed by GZIP.
- `sparse`: three byte strings, each a ZLIB stream (RFC 1950). The values are taken channel by channel: value
  `i` is that of channel `i // (H * W)` at row `i % (H * W) // W` and column `i % W`; in a layer of shape
  `[C]`, that of channel `i`.
  1. The mask: bit `i % 8` of byte `i // 8`, counted from the lowest, is 1 unless all 16 bits of value `i` are
     0 (so it is 1 for -0.0). The bits after the last value are 0.
  2. The high bytes (sign, exponent, two bits of the mantissa) of the values in the mask, in their order.
  3. The low bytes of these values.

The records of an image follow each other, the original view first. An image is stored in all views or not at
all, so the counts of inputs, outputs and dead letters are counts of images.

The writer is `pipelines.extraction.feature_extraction`, the reader is `tf_explainer.features.dataset`.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

from tf_explainer.features.layer_spec import LayerSpec
from tf_explainer.images.unit_grid import ReceptiveField

FORMAT_VERSION = 2
MANIFEST = "manifest.json"
DEAD_LETTERS = "dead_letters.jsonl"

ORIGINAL = "original"
VIEWS = ("flip", "shift", "crop")

ID = "id"
VIEW = "view"
AFFINE = "affine"
LABEL = "label"
FOLD_POSITION = "fold_position"
LANDMARKS = "landmarks"
CROP = "crop"
SCORES = "scores"


def feature_key(layer: str) -> str:
    """Returns the record's key for a layer's features."""
    return f"features/{layer}"


def shard_name(index: int, num_shards: int) -> str:
    """Returns the file name of a shard."""
    return f"features-{index:05d}-of-{num_shards:05d}.tfrecord"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of the set; it may have no records."""

    file: str
    records: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of a set of features; written last, so that a set with a manifest is complete.

    Attributes:
        classes: names by label.
        negative_class: the class that stands for "no object", or None.
        landmarks: names by row of the records' landmarks.
        num_scores: width of the performer's output.
        image_size: side of the crops and of the performer's input, in pixels.
        performer: fingerprint of the performer's architecture, weights and preprocessing.
        target: the layer to explain.
        distilled: the layers to reconstruct, lowest first.
        receptive_field: geometry of the target layer's units.
        dtype: of the stored features.
        encoding: of the features: `float16`, `gzip` or `sparse`, see the module's docstring.
        views: the stored views of every image, besides the original.
        shards: the files.
        inputs, outputs, dead_letters: counts of images; inputs = outputs + dead_letters, and the shards have
            (1 + views) records per output.
        class_counts: images by class.
        configuration: settings of the extraction, for users and to refuse other settings.
        versions: of the packages that wrote the set.
        all_classes: names of the data set's classes in its own order, with those that `--categories` leaves
            out; empty if there are no others than `classes`.
        format_version: of this layout.
    """

    classes: tuple[str, ...]
    negative_class: str | None
    landmarks: tuple[str, ...]
    num_scores: int
    image_size: int
    performer: str
    target: LayerSpec
    distilled: tuple[LayerSpec, ...]
    receptive_field: ReceptiveField
    dtype: str
    encoding: Literal["float16", "gzip", "sparse"]
    views: tuple[str, ...]
    shards: tuple[Shard, ...]
    inputs: int
    outputs: int
    dead_letters: int
    class_counts: dict[str, int]
    configuration: dict[str, Any]
    versions: dict[str, str]
    all_classes: tuple[str, ...] = ()
    format_version: int = FORMAT_VERSION

    @property
    def negative_label(self) -> int | None:
        """The label of the negative class, or None."""
        return None if self.negative_class is None else self.classes.index(self.negative_class)

    def to_json(self) -> str:
        """Returns the manifest as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: the text is not a manifest of this format version.
        """
        try:
            fields = json.loads(text)
            if fields["format_version"] != FORMAT_VERSION:
                raise ValueError(
                    f"format version {fields['format_version']}, but this program reads {FORMAT_VERSION}"
                )
            return cls(
                **fields
                | {
                    "classes": tuple(fields["classes"]),
                    "all_classes": tuple(fields.get("all_classes", ())),
                    "landmarks": tuple(fields["landmarks"]),
                    "views": tuple(fields["views"]),
                    "target": _layer(fields["target"]),
                    "distilled": tuple(map(_layer, fields["distilled"])),
                    "receptive_field": ReceptiveField(**fields["receptive_field"]),
                    "shards": tuple(Shard(**shard) for shard in fields["shards"]),
                }
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a feature manifest: {error!r}") from error


def _layer(fields: dict[str, Any]) -> LayerSpec:
    return LayerSpec(**fields | {"shape": tuple(fields["shape"])})
