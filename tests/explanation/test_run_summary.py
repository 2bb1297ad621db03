"""What a network looks at, against literal loops over the same images."""

import json

import numpy as np
import pytest
import scipy.stats

from tests.support.evaluation_example import CHANNELS, CLASSES, features_of, small_explainer, small_head
from tests.support.small_run import PARTS
from tests.support.summary_example import known_contributions, known_summary
from tf_explainer.config import AttributionConfig
from tf_explainer.errors import UserError
from tf_explainer.evaluation.parts import Part
from tf_explainer.explanation import removal, run_summary, summary_picture, verdict
from tf_explainer.explanation.attribution import Attributor
from tf_explainer.explanation.finished_run import read_summary
from tf_explainer.explanation.run_contributions import Contributions, summarise, summarise_run
from tf_explainer.metrics.followed_landmarks import Followed

OTHERS = [2]


@pytest.fixture(scope="module")
def explainer():
    explainer = small_explainer()
    random = np.random.default_rng(0)
    for weight in explainer.trainable_weights:
        weight.assign(weight + random.normal(scale=0.3, size=weight.shape).astype(np.float32))
    explainer(np.maximum(random.normal(size=(16, 5, 5, CHANNELS)), 0).astype(np.float32), training=True)
    return explainer


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    features, _ = features_of(tmp_path_factory.mktemp("features"))
    held_out = list(features.batches("held_out", negatives=True))
    names = ("id", "label", "scores", "block")
    every = [batch["block"].astype(np.float64) for batch in features.batches("all", negatives=True)]
    records = {name: np.concatenate([batch[name] for batch in held_out]) for name in names}
    return features, records, np.concatenate(every).mean(axis=0).astype(np.float32)


@pytest.fixture(scope="module")
def summary(explainer, stored):
    return summarise_run(explainer, small_head(), PARTS, stored[2], stored[0], AttributionConfig())


def test_means_are_those_of_a_loop(explainer, stored, summary):
    records = stored[1]
    attributor = Attributor(explainer, small_head(), "softmax", stored[2])
    assert summary.images == len(records["label"])
    assert summary.held_out
    assert sum(each.images for each in summary.classes) == summary.images
    for each in summary.classes:
        number, total = CLASSES.index(each.name), []
        for n in range(summary.images):
            if records["scores"][n].argmax() == number:
                features = records["block"][n : n + 1].astype(np.float32)
                one = attributor.attribute(features, np.array([number]))
                parts = {part.name: sum(one.parts[0, f] for f in part.filters) for part in PARTS}
                total.append(
                    parts
                    | {
                        verdict.OTHER_FILTERS: one.parts[0, 2],
                        verdict.ORDINARY: one.ordinary[0],
                        verdict.BASELINE: one.baseline[0],
                        verdict.GAP: one.gap[0],
                        "score": one.scores[0],
                    }
                )
        score = np.mean([image["score"] for image in total])
        assert each.images == len(total)
        assert each.score == pytest.approx(score, abs=1e-5)
        rows = [*each.parts, *each.rest]
        assert len(rows) == 6
        for row in rows:
            mean = np.mean([image[row.name] for image in total])
            assert row.nats == pytest.approx(mean, abs=1e-4)
            if score > 0:
                assert row.share == pytest.approx(mean / score, rel=1e-2, abs=1e-3)
                assert row.interval[0] <= row.share <= row.interval[1]
            else:
                assert row.share is None
        assert sum(row.nats for row in rows) == pytest.approx(each.score, abs=1e-5)


def test_mistakes_are_those_of_a_loop(explainer, stored, summary):
    records = stored[1]
    attributor = Attributor(explainer, small_head(), "softmax", stored[2])
    named = records["scores"].argmax(axis=1)
    wrong = [n for n in range(len(named)) if named[n] != records["label"][n]]
    assert len(wrong) == len(summary.mistakes) > 2
    for n, mistake in zip(wrong, summary.mistakes, strict=True):
        features = np.repeat(records["block"][n : n + 1].astype(np.float32), 2, axis=0)
        one = attributor.attribute(features, np.array([named[n], records["label"][n]]))
        assert mistake.image == records["id"][n].decode()
        assert (mistake.named_class, mistake.true_class) == (CLASSES[named[n]], CLASSES[records["label"][n]])
        assert mistake.margin == pytest.approx(one.scores[0] - one.scores[1], abs=1e-4)
        towards = dict(mistake.misled)
        head = sum(one.parts[0, f] - one.parts[1, f] for f in PARTS[0].filters)
        assert all(nats > 0 for nats in towards.values())
        if "head" in towards:
            assert towards["head"] == pytest.approx(head, abs=1e-4)
        else:
            assert head <= max(0, min(towards.values(), default=0)) + 1e-4


def test_removal_and_gap_are_those_of_a_loop(explainer, stored, summary):
    features = stored[1]["block"].astype(np.float32)
    named = stored[1]["scores"].argmax(axis=1)
    attributor = Attributor(explainer, small_head(), "softmax", stored[2])
    one = attributor.attribute(features, named)
    groups = [*(part.filters for part in PARTS), OTHERS]
    lost = removal.losses(attributor, features, named, groups)
    columns = [one.parts[:, list(group)].sum(axis=1) for group in groups] + [one.ordinary]
    contributed = np.stack(columns, axis=1)
    expected = scipy.stats.spearmanr(contributed.ravel(), lost.ravel())[0]
    assert summary.removal["spearman"] == pytest.approx(expected, abs=1e-3)
    assert summary.removal["mean_difference"] == pytest.approx((contributed - lost).mean(), abs=1e-4)
    error = np.abs(one.gap) / np.abs(one.scores)
    assert summary.gap["median"] == pytest.approx(np.median(error), rel=0.05)
    assert summary.gap["percentile_95"] == pytest.approx(np.percentile(error, 95), rel=0.05)


def test_it_is_written_and_read(summary):
    text = summary.to_json("7")
    assert run_summary.from_json(text, "7") == summary
    assert json.loads(text)["classes"][0]["verdict"] == summary.classes[0].verdict
    with pytest.raises(ValueError, match="of another explainer"):
        run_summary.from_json(text, "8")
    for damaged in ("{", "[]", "{}", text.replace('"format_version": 1', '"format_version": 7')):
        with pytest.raises(ValueError, match=r"."):
            run_summary.from_json(damaged, "7")


def test_a_missing_one_is_told(tmp_path):
    with pytest.raises(UserError, match=r"no .*summary.json: run `python -m tf_explainer.evaluate`"):
        read_summary(str(tmp_path / "summary.json"), "7")
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(UserError, match="not a summary of a run"):
        read_summary(str(tmp_path / "summary.json"), "7")


def test_the_text_of_a_known_run():
    summary = known_summary(known_contributions())
    text = repr(summary)
    assert "fox: 3 images, mean score +4.00 nats" in text
    head = next(line for line in text.splitlines() if line.strip().startswith("head"))
    assert "+2.67" in head
    assert "67 %" in head
    assert "Object parts explain this score: they give +2.67 of the +4.00 nats" in text
    assert "c: fox for fish, by +3.00 nats: ordinary track (textures) +3.50" in text
    assert "rank correlation 1.00" in text
    assert "same class on 67 %" in text
    assert str(known_summary(known_contributions(), labelled=False)).count("are not known") == 1
    picture = summary_picture.draw(summary)
    assert {(0, 114, 178), (230, 159, 0)} <= {colour for _, colour in picture.getcolors(2**24)}


def test_a_part_is_called_by_what_it_is_on_in_the_class():
    on_fish = Followed(landmark="head", found=0.9, chance=0.2)
    part = Part(
        number=7, name="head (fish)", filters=(0,), followed={"fish": on_fish}, annotated=("fox", "fish")
    )
    measured = known_contributions()
    measured.against[2] = (-1.0, np.array([-9.0, 0, 8, 0, 0]))
    summary = known_summary(measured, part=part)
    assert [share.name for share in summary.classes[0].parts] == ["part 7"], "of foxes"
    assert summary.mistakes[0].misled == (("head (fish)", 9.0),), "it is a fish"


def test_what_is_beside_the_object_is_no_object_part():
    border = Part(number=1, name="image border 2", filters=(0,))
    (fox,) = known_summary(known_contributions(), part=border).classes
    assert fox.verdict.startswith("Object parts do not explain this score: they give +0.00")
    assert fox.verdict.endswith("; groups off the object: +2.67.")


def test_no_object_is_explained_by_what_is_missing():
    (fox,) = known_summary(known_contributions()).classes
    (nothing,) = known_summary(known_contributions(), negative_class=0).classes
    assert not fox.of_no_object
    assert nothing.of_no_object
    assert nothing.verdict == fox.verdict.replace("Object parts", "Missing object parts")
    again = run_summary.from_json(known_summary(known_contributions(), negative_class=0).to_json(""), "")
    assert again.classes == (nothing,)


def test_a_negative_score_has_no_shares():
    measured = known_contributions()
    measured.columns[:, 3] -= 9
    measured.scores[:] -= 9
    (fox,) = known_summary(measured).classes
    assert all(row.share is None and row.interval is None for row in [*fox.parts, *fox.rest])
    assert "do not explain this score" in fox.verdict
    assert run_summary.from_json(known_summary(measured).to_json(""), "").classes == (fox,)
    summary_picture.draw(known_summary(measured))


def test_many_parts_are_summed_up():
    columns = np.tile(np.array([*range(10, 0, -1), 0, 0, 0, 0.0]), (2, 1))
    measured = Contributions(
        ids=["a", "b"],
        labels=np.zeros(2, int),
        named=np.zeros(2, int),
        explainer_named=np.zeros(2, int),
        scores=columns.sum(axis=1),
        columns=columns,
        lost=columns[:, :12],
        against={},
    )
    names = [f"part {k}" for k in range(10)]
    parts = [Part(number=k, name=name, filters=(k,)) for k, name in enumerate(names)]
    said = {"held_out": True, "labelled": True, "method": "by hand"}
    summary = summarise(measured, parts, ["fox"], negative_class=None, **said)
    rows = summary.classes[0].rows()
    assert [row.name for row in rows[:7]] == [*names[:6], "4 other parts"]
    assert sum(row.nats for row in rows) == pytest.approx(55)
    assert "gets none of these 2 images wrong" in str(summary)
