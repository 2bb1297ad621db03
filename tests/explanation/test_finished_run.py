"""A run as Python and a notebook see it."""

import html.parser

import numpy as np
import pytest
from PIL import Image

from tests.support.small_run import write_run
from tf_explainer.errors import UserError
from tf_explainer.explanation.finished_run import load_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    return load_run(str(root))


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)


class Balance(html.parser.HTMLParser):
    """Checks that every element is closed where it belongs."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures = [], 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.pictures += 1
            assert dict(attrs)["src"].startswith("data:image/png;base64,")
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_what_a_notebook_shows_is_a_piece_of_a_page(run, image):
    explanation = run.explain(image)
    assert Balance(explanation._repr_html_()).pictures == 1
    assert explanation.verdict.partition(":")[0] in explanation._repr_html_()
    assert Balance(run.summary()._repr_html_()).pictures == 1
    table = run._repr_html_()
    assert Balance(table).pictures == 0
    assert "head, 90 % of images against 20 % by chance" in table
    assert "50%" in table
    for shown in (explanation, run.summary(), run):
        assert "<style" not in shown._repr_html_(), "it would change the whole notebook"


def test_several_images_are_explained_in_their_order(run, image, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        Image.fromarray(image).save(folder / name)
    (folder / "c.png").write_text("no image")
    explained = run.explain([image, folder, str(folder / "b.png")])
    assert [each.image for each in explained] == ["", *(str(folder / n) for n in ("a.png", "b.png", "b.png"))]
    alone = run.explain(image)
    assert all(each.score == pytest.approx(alone.score, rel=1e-5) for each in explained)
    assert Balance(explained._repr_html_()).pictures == 4
    assert len(run.explain(np.stack([image] * 2), "fox")) == 2
    with pytest.raises(UserError, match=r"names 2 images: use explain\(\["):
        run.explain(str(folder))


def test_an_explanation_draws_itself_by_the_name_of_its_image(run, image, tmp_path):
    Image.fromarray(image).save(tmp_path / "a.png")
    explanation = run.explain(tmp_path / "a.png")
    named, other = explanation.plot(), explanation.plot("other")
    assert named.size == other.size
    assert np.asarray(named)[:60].tolist() != np.asarray(other)[:60].tolist()
    assert np.array_equal(np.asarray(named)[80:], np.asarray(other)[80:])


def test_parts_are_found_by_their_names(run):
    assert list(run.parts) == ["head", "part 2"]
    assert run.parts is run.parts
