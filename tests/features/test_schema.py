import dataclasses
import json

import numpy as np
import pytest

from tf_explainer.features import schema
from tf_explainer.features.layer_spec import LayerSpec
from tf_explainer.features.schema import Manifest, Shard
from tf_explainer.images.unit_grid import ReceptiveField

MANIFEST = Manifest(
    classes=("fox", "cat", "negative"),
    negative_class="negative",
    landmarks=("head",),
    num_scores=3,
    image_size=224,
    performer="ab" * 32,
    target=LayerSpec(name="block5_conv3", shape=(14, 14, 512), mean=0.1, zeros=0.9),
    distilled=(LayerSpec(name="fc1", shape=(512,), mean_norm=3.5, mean_square_norm=14.0),),
    receptive_field=ReceptiveField(size=196, stride=16, centre=8),
    dtype="float16",
    encoding="gzip",
    views=("flip",),
    shards=(Shard(file=schema.shard_name(0, 1), records=2, bytes=10, sha256="0" * 64),),
    inputs=3,
    outputs=2,
    dead_letters=1,
    class_counts={"fox": 1, "cat": 1, "negative": 0},
    configuration={"layers": ["block5_conv3", "fc1"]},
    versions={"python": "3.11"},
)


def test_a_manifest_comes_back_from_json():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_statistics_come_back_to_the_last_bit():
    layer = dataclasses.replace(MANIFEST.target, mean=1 / 3, mean_norm=np.pi)
    manifest = dataclasses.replace(MANIFEST, target=layer)
    assert Manifest.from_json(manifest.to_json()).target == layer


def test_a_manifest_from_before_data_sets_named_all_classes_is_one():
    fields = json.loads(MANIFEST.to_json())
    del fields["all_classes"]
    assert Manifest.from_json(json.dumps(fields)) == dataclasses.replace(MANIFEST, all_classes=())


@pytest.mark.parametrize(
    "field", [field.name for field in dataclasses.fields(Manifest) if field.name != "all_classes"]
)
def test_a_manifest_without_a_field_is_none(field):
    fields = json.loads(MANIFEST.to_json())
    del fields[field]
    with pytest.raises(ValueError, match=f"not a feature manifest.*{field}"):
        Manifest.from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"manifest"'])
def test_other_text_is_no_manifest(text):
    with pytest.raises(ValueError, match="not a feature manifest"):
        Manifest.from_json(text)


def test_another_format_is_refused():
    text = MANIFEST.to_json().replace('"format_version": 2', '"format_version": 1')
    with pytest.raises(ValueError, match="format version 1, but this program reads 2"):
        Manifest.from_json(text)


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="surprise"):
        Manifest.from_json(json.dumps(json.loads(MANIFEST.to_json()) | {"surprise": 1}))


def test_the_negative_label():
    assert MANIFEST.negative_label == 2
    assert dataclasses.replace(MANIFEST, negative_class=None).negative_label is None


def test_names_of_shards_sort_as_their_numbers():
    names = [schema.shard_name(index, 12000) for index in (0, 9, 10, 11999)]
    assert names[0] == "features-00000-of-12000.tfrecord"
    assert names == sorted(names)
