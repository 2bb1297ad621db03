"""Explanations of images by an untrained explainer of a small performer."""

import base64
import dataclasses
import html
import io
import json
import re

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from tests.explainer.test_part_maps import by_hand
from tests.support.evaluation_example import CROP
from tests.support.small_run import CLASSES, PARTS, mean_features, write_run
from tests.support.small_training import small_performer
from tests.support.summary_example import known_contributions, known_summary
from tf_explainer import explain
from tf_explainer.command_line import flags
from tf_explainer.errors import UserError
from tf_explainer.evaluation.parts import lone_filter
from tf_explainer.explanation import picture as explanation_picture
from tf_explainer.explanation import report
from tf_explainer.explanation.explanation import SeenPart
from tf_explainer.explanation.image_explainer import ImageExplainer

SUMMARY = known_summary(known_contributions())
ORANGE, SKY = (230, 159, 0), (86, 180, 233)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A work directory as the steps before leave it; the performer and the explainer."""
    root = tmp_path_factory.mktemp("run")
    finished = write_run(root)
    return root, finished.performer, finished.explainer


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.fixture(scope="module")
def explanation(run, image):
    _, performer, explainer = run
    return ImageExplainer(performer, explainer, PARTS, CLASSES, mean_features(explainer)).explain(image)


def test_contributions_add_up(run, explanation):
    total = sum(seen.contribution for seen in explanation.parts) + explanation.other_filters
    above = explanation.score - explanation.baseline
    assert total + explanation.ordinary + explanation.gap == pytest.approx(above, abs=1e-5)
    assert abs(explanation.gap) < 0.03 * sum(map(abs, explanation.terms.values()))
    assert sum(explanation.terms.values()) == pytest.approx(explanation.score, abs=1e-5)
    assert explanation.interpretable_map.sum() == pytest.approx(total, abs=1e-4)
    # The explainer's own scores, by its copy of the performer's head.
    _, performer, explainer = run
    features = performer.feature_model().predict_on_batch(explanation.crop[None])
    scores = np.asarray(explainer(features["block"])["scores"])[0]
    own = scores[CLASSES.index(explanation.class_name)]
    assert explanation.explainer_probability == pytest.approx(own, rel=1e-4)
    assert explanation.performer_probability == pytest.approx(features["scores"].max(), rel=1e-6)


def test_images_at_once_are_explained_as_one_by_one(run):
    _, performer, explainer = run
    explainer = ImageExplainer(performer, explainer, PARTS, CLASSES, mean_features(explainer))
    random = np.random.default_rng(3)
    images = [random.integers(0, 256, (*random.integers(20, 90, 2), 3), np.uint8) for _ in range(7)]
    for name in (None, "fish"):
        for image, found in zip(images, explainer.explain_batch(images, name), strict=True):
            assert_same(found, explainer.explain(image, name))


def test_classes_of_images_at_once_are_explained_as_one_by_one(tmp_path):
    performer = small_performer("sigmoid")
    kernel, _ = performer.model.layers[-1].get_weights()
    # Dark images are said to be of two classes, bright ones of none.
    performer.model.layers[-1].set_weights([-np.abs(kernel), np.array([1.0, 1.0, -1.0])])
    run = write_run(tmp_path, performer)
    random = np.random.default_rng(4)
    images = [random.integers(0, level, (50, 50, 3), np.uint8) for level in (2, 60, 256, 256, 256)]
    together = run.image_explainer.explain_each_of_batch(images)
    assert {len(of_image) for of_image in together} == {1, 2}
    for image, of_image in zip(images, together, strict=True):
        alone = run.image_explainer.explain_each(image)
        for found, expected in zip(of_image, alone, strict=True):
            assert_same(found, expected)


def assert_same(found, expected):
    """Compares all numbers with those of their kind: what is added up is as exact as its largest term."""
    one, other = (json.dumps(each.to_dict()["contributions"]["parts"]) for each in (found, expected))
    names = [re.findall(r'"title": "([^"]*)"', each) for each in (one, other)]
    assert names[0] == names[1]
    assert (found.class_name, found.performer_class) == (expected.class_name, expected.performer_class)
    largest = max(map(abs, expected.terms.values()))
    for field in ("score", "baseline", "ordinary", "gap", "other_filters"):
        assert getattr(found, field) == pytest.approx(getattr(expected, field), abs=1e-5 * largest)
    for seen, alone in zip(found.strongest, expected.strongest, strict=True):
        assert seen.part == alone.part
        assert seen.contribution == pytest.approx(alone.contribution, abs=1e-5 * largest)
        assert seen.lost_without == pytest.approx(alone.lost_without, abs=1e-5 * largest)
        assert seen.place == alone.place
        np.testing.assert_allclose(seen.map, alone.map, rtol=1e-4, atol=1e-4)
    for name in ("interpretable_map", "ordinary_map"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5 * largest)
    np.testing.assert_array_equal(found.crop, expected.crop)


def test_every_class_can_be_explained(run, image):
    _, performer, explainer = run
    explainer = ImageExplainer(performer, explainer, PARTS, CLASSES, mean_features(explainer))
    found = [explainer.explain(image, name) for name in CLASSES]
    assert [each.class_name for each in found] == list(CLASSES)
    assert sum(each.explainer_probability for each in found) == pytest.approx(1, rel=1e-4)
    with pytest.raises(ValueError, match="there is no class 'bird'; there are fox, fish"):
        explainer.explain(image, "bird")


@pytest.mark.parametrize(
    ("biases", "said"),
    [((9.0, -9.0, 20.0), ["negative", "fox"]), ((-20.0, -9.0, -30.0), ["fish"])],
    ids=["two", "none: the likeliest"],
)
def test_every_class_that_is_said_is_explained(tmp_path, image, biases, said):
    performer = small_performer("sigmoid")
    kernel, _ = performer.model.layers[-1].get_weights()
    performer.model.layers[-1].set_weights([kernel * 1e-3, np.array(biases)])
    run = write_run(tmp_path, performer)
    explainer = run.image_explainer
    found = explainer.explain_each(image)
    assert [each.class_name for each in found] == said
    assert [each.to_dict() for each in run.explain_each(image)] == [each.to_dict() for each in found]
    for each in found:
        assert each.score == pytest.approx(biases[CLASSES.index(each.class_name)], abs=0.5)
        assert sum(each.terms.values()) == pytest.approx(each.score, abs=1e-4)
    head = next(seen.part for seen in found[-1].parts if seen.part.number == 1)
    assert head.name == ("head" if said[-1] == "fox" else PARTS[0].in_category(said[-1]).name)


def test_of_classes_that_exclude_each_other_one_is_explained(run, image, explanation):
    _, performer, explainer = run
    explainer = ImageExplainer(performer, explainer, PARTS, CLASSES, mean_features(explainer))
    (found,) = explainer.explain_each(image)
    assert found.to_dict() == explanation.to_dict()


def test_every_class_that_is_said_has_files_of_its_own(tmp_path, command, image):
    performer = small_performer("sigmoid")
    performer.model.layers[-1].set_weights(
        [0.0 * performer.model.layers[-1].get_weights()[0], np.array([3.0, -3.0, 5.0])]
    )
    write_run(tmp_path / "run", performer)
    Image.fromarray(image).save(tmp_path / "cat.png")
    out = tmp_path / "out"
    command(f"--workdir={tmp_path / 'run'}", f"--image={tmp_path / 'cat.png'}", f"--explanations_dir={out}")
    written = [json.loads(path.read_text()) for path in out.glob("*.json")]
    assert sorted(each["class"] for each in written) == ["fox", "negative"]
    assert len(list(out.glob("*.png"))) == 2


def test_a_part_is_where_its_map_is_highest(run, explanation):
    _, performer, explainer = run
    features = performer.feature_model().predict_on_batch(explanation.crop[None])
    maps = np.asarray(explainer(features["block"])["conv_interp_2"])
    seen = next(each for each in explanation.parts if each.part.name == "head")
    groups = np.where(np.arange(maps.shape[-1]) < 2, 0, -1)
    shown = by_hand(maps, groups, explainer.get_layer("conv_interp_2").mean_peaks)[0, ..., 0]
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert seen.place == pytest.approx(((4 + 8 * row) / CROP, (4 + 8 * column) / CROP))
    assert seen.strength == pytest.approx(shown.max(), rel=1e-4)
    np.testing.assert_allclose(seen.map, shown, rtol=1e-4, atol=1e-6)


def test_numbers_are_plain(explanation):
    again = json.loads(json.dumps(explanation.to_dict()))
    assert {part["name"] for part in again["contributions"]["parts"]} == {"head", "part 2"}
    assert again["score_log_odds"] == explanation.score
    assert again["verdict"] == explanation.verdict
    assert again["contributions"]["gap"] == explanation.gap
    assert all(isinstance(part["lost_without"], float) for part in again["contributions"]["parts"])


def test_the_picture_shows_the_parts_in_their_colours(explanation):
    side = explanation.grid.side
    maps = np.random.default_rng(2).uniform(size=(2, side, side))
    seen = [
        SeenPart(part=part, contribution=1.0, place=(0.3, 0.6), strength=1.0, map=values)
        for part, values in zip(PARTS, maps, strict=True)
    ]
    shown = dataclasses.replace(explanation, parts=tuple(seen), lone_filters=())
    assert {ORANGE, SKY} <= colours(explanation_picture.draw(shown, "an image"))
    assert SKY not in colours(explanation_picture.draw(shown, "an image", most_parts=1))
    silent = dataclasses.replace(seen[1], place=None)
    assert SKY not in colours(
        explanation_picture.draw(dataclasses.replace(shown, parts=(seen[0], silent)), "an image")
    )


def test_the_bars_are_what_the_score_consists_of(explanation):
    alone = [
        dataclasses.replace(explanation.parts[0], part=lone_filter(number), contribution=0.25)
        for number in (7, 8, 9)
    ]
    more = dataclasses.replace(
        explanation, score=explanation.score - explanation.other_filters + 0.75, lone_filters=tuple(alone)
    )
    *rows, (label, score, _) = explanation_picture._rows(more, [more.parts[0], alone[0]])
    assert label == "score (log-odds)"
    assert sum(value for _, value, _ in rows) == pytest.approx(score, abs=1e-5)
    labels = [label for label, _, _ in rows]
    assert labels[1:4] == ["filter 7", "1 other part", "2 other filters"]


def test_a_filter_in_no_part_is_shown_by_itself(run, image, explanation):
    _, performer, explainer = run
    alone = ImageExplainer(performer, explainer, (), CLASSES, mean_features(explainer)).explain(image)
    assert not alone.parts
    contributions = {seen.part.filters[0]: seen.contribution for seen in alone.lone_filters}
    assert contributions
    for seen in explanation.parts:
        own = [contributions.get(number, 0) for number in seen.part.filters]
        assert sum(own) == pytest.approx(seen.contribution, abs=1e-6)
    assert alone.other_filters == pytest.approx(
        sum(seen.contribution for seen in explanation.strongest), abs=1e-6
    )
    written = json.loads(json.dumps(alone.to_dict()))["contributions"]
    assert [each["filters"] for each in written["lone_filters"]] == [[number] for number in contributions]
    page = report.report(SUMMARY, [("", alone, Image.new("RGB", (8, 8)))])
    assert all(f"<td>filter {number}</td>" in page for number in contributions)


def test_what_is_beside_the_object_is_no_object_part(explanation):
    whole = explanation.terms["object parts"]
    assert abs(whole) > 1e-3
    border = [
        dataclasses.replace(seen, part=dataclasses.replace(seen.part, name="image border"))
        for seen in explanation.parts
    ]
    terms = dataclasses.replace(explanation, parts=tuple(border)).terms
    assert terms["object parts"] == 0
    assert terms["groups off the object"] == pytest.approx(whole)


def test_no_object_is_explained_by_what_is_missing(explanation, run, image):
    _, performer, explainer = run
    missing = dataclasses.replace(explanation, of_no_object=True)
    explain = ImageExplainer(performer, explainer, PARTS, CLASSES, mean_features(explainer)).explain
    assert [explain(image, name).of_no_object for name in CLASSES] == [False, False, True]
    assert missing.verdict == explanation.verdict.replace("Object parts", "Missing object parts")
    assert missing.verdict.count("bject parts") == 1


def test_the_strongest_come_first(explanation):
    loud = dataclasses.replace(explanation.parts[0], part=lone_filter(7), contribution=-100.0)
    both = dataclasses.replace(explanation, lone_filters=(loud,))
    assert both.strongest == (loud, *explanation.parts)


def colours(picture):
    return {colour for _, colour in picture.getcolors(maxcolors=2**24)}


def test_the_page_stands_alone(explanation):
    page = report.report(SUMMARY, [("<image>", explanation, Image.new("RGB", (8, 8)))])
    assert "<h2>&lt;image&gt;</h2>" in page
    assert f"{explanation.score:+.3f}" in page
    assert page.index("fox: 3 images") < page.index("<h2>&lt;image&gt;</h2>")
    assert html.escape(explanation.verdict) in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    encoded = re.findall(r'base64,([^"]+)"', page)[1]
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (8, 8)


@pytest.fixture
def command(run):
    def command(*arguments):
        given = [
            "explain",
            f"--workdir={run[0]}",
            "--dataset=creatures",
            f"--image_size={CROP}",
            "--target_layer=block",
            "--folds=4",
        ]
        with flagsaver.flagsaver():
            flags.FLAGS([*given, *arguments])
            explain.main([])

    return command


def test_images_of_a_folder(command, image, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(image).save(photos / "a cat.png")
    (photos / "torn.jpg").write_bytes(b"no image")
    (photos / "notes.txt").write_text("no image")
    command(f"--image={photos}", f"--explanations_dir={tmp_path / 'out'}", "--html")
    names = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert names == {".png", ".json", ".html"}
    assert len(list((tmp_path / "out").iterdir())) == 3
    written = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert written["image"].endswith("a cat.png")
    assert "a cat.png: " in capsys.readouterr().out


def test_held_out_images_where_none_is_named(command, tmp_path):
    command(f"--explanations_dir={tmp_path}", "--held_out_images=3")
    assert len(list(tmp_path.glob("*.json"))) == 3
    classes = [json.loads(path.read_text())["image"] for path in tmp_path.glob("*.json")]
    assert len(set(classes)) == 3


def test_images_that_were_trained_on_where_none_is_held_out(command, tmp_path, caplog):
    command(f"--explanations_dir={tmp_path}", "--held_out_images=2", "--folds=1000000", "--held_out_fold=999")
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert "No image of the run is held out" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image=nowhere.jpg"], "--image=nowhere.jpg is neither an image nor a folder"),
        (["--explained_class=bird"], "--explained_class=bird: there is no class 'bird'"),
    ],
)
def test_bad_input_is_told(command, tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        command(*arguments, f"--explanations_dir={tmp_path}")


def test_unreadable_images_alone_are_refused(command, tmp_path):
    (tmp_path / "torn.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match="none of the 1 files can be read"):
        command(f"--image={tmp_path / 'torn.jpg'}", f"--explanations_dir={tmp_path / 'out'}")


def test_without_parts_it_says_what_to_run(command, run):
    path = run[0] / "parts.json"
    text = path.read_text()
    path.unlink()
    try:
        with pytest.raises(
            UserError, match=r"there is no .*parts.json: run `python -m tf_explainer.evaluate`"
        ):
            command()
        path.write_text("{}")
        with pytest.raises(UserError, match="not a list of parts"):
            command()
    finally:
        path.write_text(text)
