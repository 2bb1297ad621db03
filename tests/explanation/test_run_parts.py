"""The parts of a run by name, and what each shows."""

import dataclasses

import numpy as np
import pytest

from tests.explainer.test_part_maps import by_hand
from tests.explanation.test_finished_run import Balance
from tests.support.small_run import PARTS, write_run
from tf_explainer.config import DatasetConfig
from tf_explainer.errors import UserError
from tf_explainer.evaluation.parts import Part
from tf_explainer.explanation import part_picture
from tf_explainer.explanation.finished_run import load_run
from tf_explainer.explanation.run_parts import RunParts
from tf_explainer.features.manifest import read_manifest
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics.followed_landmarks import Followed

LEGS = Followed(landmark="legs", found=0.8, chance=0.2)
ANNOTATED = ("cat", "cow")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    return load_run(str(root))


def parts_of(*parts):
    return RunParts(
        [
            Part(number=number, name=name, filters=(number,), followed=followed, annotated=ANNOTATED)
            for number, (name, followed) in enumerate(parts, 1)
        ],
        None,
        None,
    )


def test_a_part_shows_the_images_on_which_it_responds_most(run):
    shown = run.parts["head"].plot(images=3)
    assert shown.width == 3 * shown.height + 12
    assert np.asarray(shown).std() > 5
    wide = run.parts["head"].show(images=5)
    assert np.array_equal(np.asarray(wide)[:, : shown.height], np.asarray(shown)[:, : shown.height])
    assert wide.tobytes() != run.parts["part 2"].plot(images=5).tobytes()


def test_the_image_that_comes_first_excites_the_part_most(run):
    directory = run.workdir.features
    features = Features(
        manifest=read_manifest(directory), directory=directory, dataset=DatasetConfig(dataset="")
    )
    labels, maps = part_picture._maps(PARTS[0], run.explainer, features)
    target = features.manifest.target.name
    seen = np.concatenate([batch[target] for batch in features.batches("all", negatives=False)])
    own = np.asarray(run.explainer(seen.astype(np.float32), training=False)["conv_interp_2"])
    groups = np.where(np.isin(np.arange(own.shape[-1]), PARTS[0].filters), 0, -1)
    expected = by_hand(own, groups, run.explainer.get_layer("conv_interp_2").mean_peaks)[..., 0]
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)
    assert len(labels) == len(maps)


def test_a_part_is_found_by_whatever_it_is_called():
    both = {"cat": LEGS, "cow": LEGS}
    parts = parts_of(("legs", both), ("legs 2", both), ("head (cat)", {"cat": LEGS}), ("part 4", {}))
    assert list(parts) == ["legs", "legs 2", "head (cat)", "part 4"]
    for name, number in {"legs": 1, "legs 2": 2, "head (cat)": 3, "part 3": 3, 3: 3, "part 4": 4}.items():
        assert name in parts
        assert parts[name].number == number


def test_the_name_in_one_category_will_do_if_it_is_clear():
    parts = parts_of(("legs (cat)", {"cat": LEGS}), ("part 2", {}))
    assert parts["legs"].number == 1
    parts = parts_of(("legs (cat)", {"cat": LEGS}), ("legs (cow)", {"cow": LEGS}))
    with pytest.raises(UserError, match=r"there are: legs \(cat\), legs \(cow\)$"):
        parts["legs"]


def test_a_part_that_is_not_there_is_answered_with_those_that_are(run):
    with pytest.raises(KeyError) as caught:
        run.parts["heads"]
    assert str(caught.value) == "there is no part 'heads'; there are: head, part 2"
    assert isinstance(caught.value, UserError)
    assert run.parts.get("heads") is None
    assert 3 not in run.parts


def test_parts_say_what_they_are(run):
    assert repr(run.parts["part 2"]) == "<part 2: part 2; 3 filters, responds on 50% of images>"
    assert repr(run.parts).splitlines() == [
        "<part 1: head, 90 % of images against 20 % by chance; 2 filters>",
        "<part 2: part 2; 3 filters, responds on 50% of images>",
    ]
    assert run.parts["head"].filters == PARTS[0].filters


def test_a_notebook_shows_a_part_with_its_images(run):
    shown = run.parts["head"]._repr_html_()
    assert Balance(shown).pictures == 1
    assert "head, 90 % of images against 20 % by chance" in shown
    assert run.parts._repr_html_() == run._repr_html_()


def test_a_run_that_lies_nowhere_has_no_images(run):
    nowhere = dataclasses.replace(run, workdir=None).parts["head"]
    assert Balance(nowhere._repr_html_()).pictures == 0
    with pytest.raises(UserError, match="read the run with load_run"):
        nowhere.plot()
