import pytest

from tests.datasets import birds
from tf_explainer.datasets import cub200
from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, Landmark


@pytest.fixture
def folder(tmp_path):
    birds.write(tmp_path)
    return tmp_path


def test_the_official_split(folder):
    train = list(cub200.references(str(folder), train=True))
    test = list(cub200.references(str(folder), train=False))
    assert [reference.id for reference in train] == [
        "001.Bird_1/Bird_0000",
        "002.Bird_2/Bird_0001",
        "001.Bird_1/Bird_0003",
        "002.Bird_2/Bird_0004",
    ]
    assert [reference.label for reference in train + test] == [0, 1, 0, 1, 2, 2]
    assert train[0].location == str(folder / "images/001.Bird_1/Bird_0000.jpg")


def test_boxes_and_visible_parts(folder):
    reference = list(cub200.references(str(folder), train=True))[2]
    assert reference.box == Box(xmin=4, ymin=3, xmax=24, ymax=27)
    assert tuple(reference.landmarks) == cub200.PARTS[:7]  # those behind it cannot be seen
    assert reference.landmarks["left_eye"] == Landmark(x=7.5, y=3)


def test_the_parts_are_the_official_ones():
    assert [name.replace(" ", "_") for name in birds.PARTS] == list(cub200.PARTS)


def test_species(folder):
    assert cub200.species(str(folder))[:2] == ["001.Bird_1", "002.Bird_2"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("images.txt", None, r"images\.txt: No such file.*CUB_200_2011\.tgz"),
        (
            "parts/part_locs.txt",
            "1 1 2.0 3.0 1\n1 2 3.0\n",
            r"part_locs\.txt, line 2: '1 2 3\.0' is not int, int, float, ",
        ),
        ("parts/parts.txt", "1 wheel\n", r"parts\.txt names other parts"),
        ("bounding_boxes.txt", "1 0 0 9 9\n", r"image 2 of images\.txt has no bounding box"),
        ("bounding_boxes.txt", "1 0 0 9 wide\n", r"bounding_boxes\.txt, line 1: .*wide"),
        ("parts/part_locs.txt", "1 16 2.0 3.0 1\n", r"part_locs\.txt: parts/parts\.txt has no part 16"),
    ],
)
def test_wrong_tables_are_named(folder, name, content, message):
    (folder / name).unlink()
    if content:
        (folder / name).write_text(content)
    with pytest.raises(UserError, match=message):
        list(cub200.references(str(folder), train=True))
