import collections

import numpy as np
import pytest
from PIL import Image

from tests.datasets.matlab_files import save_v5, save_v73
from tf_explainer.datasets import pascal_part
from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, Landmark


def mask(left, top, right, bottom):
    """A mask of 90 x 120 pixels with a rectangle; the edges as of continuous pixels."""
    pixels = np.zeros((90, 120), np.uint8)
    pixels[top:bottom, left:right] = 1
    return pixels


def thing(kind, silhouette, **parts):
    # A struct array without elements keeps its fields; no writer here can say so, and MATLAB writes [].
    parts = [{"part_name": name, "mask": pixels} for name, pixels in parts.items()]
    return {"class": kind, "class_ind": 1.0, "mask": silhouette, "parts": parts or np.zeros((0, 0))}


DOG = thing(
    "dog",
    mask(10, 20, 70, 80),
    head=mask(10, 20, 30, 40),
    muzzle=mask(8, 30, 12, 34),
    neck=mask(30, 30, 36, 44),
    torso=mask(30, 30, 66, 60),
    lfleg=mask(34, 60, 38, 76),
    rfpa=mask(44, 76, 48, 80),
    tail=mask(66, 30, 70, 34),
)
COW = thing("cow", mask(0, 0, 60, 60), lhorn=mask(2, 0, 4, 2), tail=mask(50, 50, 60, 60))
SMALL = thing("cat", mask(0, 0, 49, 51), head=mask(0, 0, 20, 20))


def write(folder, name, things, save=save_v5):
    photographs, annotations = folder / "VOCdevkit/VOC2010/JPEGImages", folder / "Annotations_Part"
    for each in (photographs, annotations):
        each.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (120, 90), "green").save(photographs / f"{name}.jpg")
    save(annotations / f"{name}.mat", "anno", [{"imname": name, "objects": things}])


@pytest.fixture(params=[save_v5, save_v73], ids=["v5", "v7.3"])
def folder(request, tmp_path):
    write(tmp_path, "2008_000002", [thing("person", mask(0, 0, 90, 90)), COW, SMALL, DOG], request.param)
    write(tmp_path, "2008_000001", [DOG], request.param)
    return tmp_path


def test_animals_one_by_one(folder):
    found = list(pascal_part.references(str(folder)))
    assert [(reference.id, pascal_part.ANIMALS[reference.label]) for reference in found] == [
        ("2008_000001/1", "dog"),
        ("2008_000002/2", "cow"),
        ("2008_000002/4", "dog"),
    ]
    assert found[0].location == str(folder / "VOCdevkit/VOC2010/JPEGImages/2008_000001.jpg")
    assert found[0].box == Box(xmin=10, ymin=20, xmax=70, ymax=80)


def test_parts_are_merged(folder):
    dog = next(pascal_part.references(str(folder)))
    assert dog.landmarks == {
        "head": Landmark(x=19, y=30, width=22, height=20),
        "neck": Landmark(x=33, y=37, width=6, height=14),
        "torso": Landmark(x=48, y=45, width=36, height=30),
        "frontal_legs": Landmark(x=41, y=70, width=14, height=20),
        "tail": Landmark(x=68, y=32, width=4, height=4),
    }


def test_the_tail_of_a_cow_is_no_landmark(folder):
    cow = list(pascal_part.references(str(folder)))[1]
    assert set(cow.landmarks) == {"head"}


def test_wrong_layouts_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*JPEGImages.*extract"):
        list(pascal_part.references(str(tmp_path)))
    write(tmp_path, "2008_000001", [{"class": "dog", "mask": mask(0, 0, 9, 9)}])
    with pytest.raises(UserError, match=r"2008_000001\.mat: anno\.objects\(1\) has no"):
        list(pascal_part.references(str(tmp_path)))
    save_v5(tmp_path / "Annotations_Part/2008_000001.mat", "truth", [DOG])
    with pytest.raises(UserError, match=r"2008_000001\.mat has no variable 'anno'"):
        list(pascal_part.references(str(tmp_path)))
    (tmp_path / "Annotations_Part/2008_000001.mat").unlink()
    with pytest.raises(UserError, match=r"Annotations_Part holds no \*\.mat"):
        list(pascal_part.references(str(tmp_path)))


@pytest.fixture
def real_folder(shared_datasets, tmp_path):
    examples = shared_datasets / "pascal_part_examples"
    for suffix, folder in ((".jpg", "VOCdevkit/VOC2010/JPEGImages"), (".mat", "Annotations_Part")):
        (tmp_path / folder).mkdir(parents=True)
        for file in examples.glob(f"*{suffix}"):
            (tmp_path / folder / file.name).symlink_to(file)
    return tmp_path


def test_real_annotations(real_folder):
    found = {reference.id: reference for reference in pascal_part.references(str(real_folder))}
    kinds = collections.Counter(pascal_part.ANIMALS[reference.label] for reference in found.values())
    # The ninth animal, the only bird of 2008_001978, is smaller than 50 x 50 pixels.
    assert kinds == {"bird": 3, "cat": 3, "dog": 3, "horse": 1}
    horse = found["2010_005243/11"]
    assert horse.box == Box(xmin=87, ymin=95, xmax=149, ymax=250)
    assert set(horse.landmarks) == {"head", "neck", "torso", "frontal_legs", "back_legs"}
    for reference in found.values():
        with Image.open(reference.location) as photograph:
            assert reference.box.xmax <= photograph.width
            assert reference.box.ymax <= photograph.height
        for landmark in reference.landmarks.values():
            assert reference.box.xmin <= landmark.x <= reference.box.xmax
            assert reference.box.ymin <= landmark.y <= reference.box.ymax
