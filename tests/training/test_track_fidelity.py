import keras
import numpy as np
import pytest

from tests.metrics import literal
from tests.support.evaluation_example import DISTILLED, features_of, small_explainer, small_head
from tf_explainer.explainer.single_track import TRACKS
from tf_explainer.training.track_fidelity import measure_tracks


def test_each_track_is_measured_with_the_other_at_its_mean(tmp_path):
    """By the explainer's own layers, one image at a time."""
    features, stored = features_of(tmp_path, count=24)
    explainer, head = small_explainer(), small_head()
    found = measure_tracks(explainer, head, features, "all")
    blocks = np.stack([image["block"] for image in stored]).astype(np.float32)
    tracks = [
        np.asarray(keras.Model(explainer.input, explainer.get_layer(name).output)(blocks)) for name in TRACKS
    ]
    mean = [sum(track) / len(track) for track in tracks]
    layer = explainer.get_layer
    p = explainer.part_share
    for kept, measured in ((0, found.parts_only), (1, found.rest_only)):
        error, energy, agree = dict.fromkeys(DISTILLED, 0.0), dict.fromkeys(DISTILLED, 0.0), 0
        for n, image in enumerate(stored):
            pair = [track[n] if t == kept else mean[t] for t, track in enumerate(tracks)]
            x = explainer.trunk(layer("decoder_scale")((p * pair[0] + (1 - p) * pair[1])[None]))
            for number, name in enumerate(DISTILLED, start=1):
                x = layer(f"fc_dec_{number}")(layer(f"fc_dec_{number}_scale")(x))
                target = image[name].astype(np.float64)
                error[name] += float(((np.asarray(x)[0] - target) ** 2).sum())
                energy[name] += float((target**2).sum())
            theirs = np.asarray(head(image["fc2"][None].astype(np.float32)))[0]
            agree += int(np.asarray(head(x))[0].argmax() == theirs.argmax())
        for name in DISTILLED:
            assert measured.relative_error[name] == pytest.approx(error[name] / energy[name], rel=1e-4)
        assert measured.agreement == pytest.approx(agree / 24)


def test_the_mass_outside_the_mask_is_that_of_the_categories(tmp_path):
    features, stored = features_of(tmp_path, count=24)
    explainer = small_explainer()
    blocks = np.stack([image["block"] for image in stored if image["label"] != 2]).astype(np.float32)
    maps = np.asarray(keras.Model(explainer.input, explainer.get_layer("norm_interp").output)(blocks))
    lost = 0.0
    for n, f in np.ndindex(len(maps), maps.shape[-1]):
        _, row, column = literal.peak(maps[n, ..., f])
        for i, j in np.ndindex(maps.shape[1:3]):
            lost += float(maps[n, i, j, f]) * (4 * (abs(i - row) + abs(j - column)) >= maps.shape[1])
    found = measure_tracks(explainer, small_head(), features, "all")
    assert found.outside_mask == pytest.approx(lost / float(maps.sum(dtype=np.float64)), rel=1e-5)


def test_a_split_without_images_has_no_figures(tmp_path):
    features, _ = features_of(tmp_path, count=2, folds=1000)
    found = measure_tracks(small_explainer(), small_head(), features, "held_out")
    assert found.parts_only.images == 0
    assert np.isnan(found.outside_mask)
    assert np.isnan(found.rest_only.agreement)
