"""Boxes and landmarks from a file, for a folder of images."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import registry
from tf_explainer.datasets.annotations import annotation_file
from tf_explainer.errors import UserError
from tf_explainer.images.crop import landmarks_in_crop
from tf_explainer.images.record import Box, Landmark

HEADER = "file,x0,y0,x1,y1,head_x,head_y,tail_x,tail_y"


@pytest.fixture
def photos(tmp_path):
    """Images of 40 x 20 pixels; one of them lies on its side."""
    folder = tmp_path / "photos"
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/far/3.png", "negative/n.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20)).save(folder / name)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (40, 20)).save(folder / "cat" / "turned.jpg", exif=turned)
    return folder


@pytest.fixture
def opened(photos, tmp_path):
    def opened(content, name="marks.csv", **settings):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        config = DatasetConfig(dataset="folder", data_dir=str(photos), annotations=str(path), **settings)
        source = registry.open_source(config)
        return source, {reference.id: reference for reference in source.references()}

    return opened


def csv(*lines, header=HEADER):
    return "\n".join([header, *lines, ""])


def coco(*objects, names=("head", "left_eye"), sized=True):
    files = ["cat/1.png", "dog/1.png", "3.png"]
    size = {"width": 40, "height": 20} if sized else {}
    return {
        "images": [{"id": number, "file_name": file} | size for number, file in enumerate(files)],
        "categories": [{"id": 7, "name": "animal", "keypoints": list(names)}],
        "annotations": [{"id": n, "category_id": 7} | fields for n, fields in enumerate(objects)],
    }


def test_a_table_gives_boxes_and_landmarks(opened, caplog):
    source, found = opened(csv("cat/1.png,10,5,30,15,20,10,,", "./dog/far/3.png,,,,,0,0,40,20"))
    assert source.landmark_names == ("head", "tail")
    assert found["cat/1.png"].box == Box(xmin=10, ymin=5, xmax=30, ymax=15)
    assert found["cat/1.png"].landmarks == {"head": Landmark(x=20, y=10)}
    assert found["dog/far/3.png"].box is None
    assert found["dog/far/3.png"].landmarks == {"head": Landmark(x=0, y=0), "tail": Landmark(x=40, y=20)}
    assert (found["dog/1.png"].box, dict(found["dog/1.png"].landmarks)) == (None, {})
    # Neither the annotated ones nor the negative one.
    assert "3 images are not in" in caplog.text
    ((_, record),) = pickle.loads(pickle.dumps(source)).read([found["cat/1.png"]])
    np.testing.assert_allclose(landmarks_in_crop(record, source.landmark_names)[0], [0.5, 0.5, 0, 0])


def test_landmarks_alone_or_boxes_alone_will_do(opened):
    _, found = opened(csv("cat/1.png,3,4", header="file,head_x,head_y"))
    assert found["cat/1.png"].landmarks["head"] == Landmark(x=3, y=4)
    source, found = opened(csv("cat/1.png,1,2,3,4", header="file,x0,y0,x1,y1"))
    assert source.landmark_names == ()
    assert found["cat/1.png"].box == Box(xmin=1, ymin=2, xmax=3, ymax=4)


def test_places_are_on_the_image_as_it_is_shown(opened):
    _, found = opened(csv("cat/turned.jpg,,,,,15,39,,"))
    assert found["cat/turned.jpg"].landmarks["head"] == Landmark(x=15, y=39)
    with pytest.raises(
        UserError, match=r"head of cat/turned.jpg is at \(39, 15\), outside of its 20x40 pixels"
    ):
        opened(csv("cat/turned.jpg,,,,,39,15,,"))


def test_an_image_of_one_name_needs_no_folder(opened):
    _, found = opened(csv("3.png,,,,,1,1,,"))
    assert found["dog/far/3.png"].landmarks
    with pytest.raises(UserError, match=r"marks.csv:2: '1.png' may be cat/1.png or dog/1.png"):
        opened(csv("1.png,,,,,1,1,,"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no column 'file'"),
        (csv(header="file;x0"), "has no column 'file'.*separated by commas"),
        (csv(header="file,colour"), "marks.csv:1: unknown column 'colour': columns are file"),
        (csv(header="file,x0,y0"), "the box has only x0, y0"),
        (csv(header="file,head_x"), "a column 'head_y' is missing"),
        (csv(header="file,head_x,head_x,head_y"), "'head_x' appears twice"),
        (csv("cat/1.png,1,2"), "marks.csv:2: 3 values, but line 1 has 9 columns"),
        (csv("cat/1.png,,,,,1,,,"), "marks.csv:2: head_x=1, head_y=: give numbers"),
        (csv("cat/1.png,,,,,1,nan,,"), "head_y=nan"),
        (csv("cat/1.png,1,2,3,,,,,"), "x0=1, y0=2, x1=3, y1=: give numbers"),
        (csv("cat/1.png,5,2,5,4,,,,"), "marks.csv:2: the box .* is empty"),
        (csv(",,,,,1,2,,"), "marks.csv:2: the file name is missing"),
        (
            csv("cat/1.png,,,,,1,2,,", "", "cat/1.png,,,,,1,2,,"),
            "marks.csv:4: 'cat/1.png' is also in line 2",
        ),
        (
            csv("cat/1.png,,,,,41,2,,"),
            r"marks.csv:2: head of cat/1.png is at \(41, 2\), outside of its 40x20",
        ),
        (csv("cat/1.png,50,0,60,9,,,,"), "marks.csv:2: cat/1.png: its object box"),
        (csv("cow/1.png,,,,,1,2,,"), "marks.csv:2: 'cow/1.png' is not an image of --data_dir=.*relative"),
        ('file,"x0\n', "neither COCO's JSON nor CSV"),
    ],
)
def test_mistakes_in_a_table_are_told_by_line(opened, content, words):
    with pytest.raises(UserError, match=f"(?s){words}"):
        opened(content)


def test_all_mistakes_are_counted(opened, photos):
    for number in range(10, 17):
        Image.new("RGB", (40, 20)).save(photos / "cat" / f"{number}.png")
    with pytest.raises(UserError, match="and 2 more") as error:
        opened(csv(*(f"cat/{number}.png,,,,,99,2,," for number in range(10, 17))))
    assert str(error.value).count("outside of its") == 5


def test_names_that_are_no_images_are_left_out_and_counted(opened, caplog):
    _, found = opened(csv("cat/1.png,,,,,1,2,,", "gone.png,,,,,1,2,,", "gone too.png,,,,,1,2,,"))
    assert found["cat/1.png"].landmarks
    assert "marks.csv:3: 'gone.png' is not an image of" in caplog.text
    assert "2 such names are left out" in caplog.text


def test_a_class_that_takes_no_part_may_be_annotated(opened, caplog):
    _, found = opened(csv("cat/1.png,,,,,1,2,,", "dog/1.png,,,,,1,2,,"), categories=("cat",))
    assert set(found) == {"cat/1.png", "cat/2.png", "cat/turned.jpg", "negative/n.png"}
    assert "not an image" not in caplog.text


def test_coco_gives_boxes_and_keypoints(opened, caplog):
    source, found = opened(
        coco(
            {"image_id": 0, "bbox": [10, 5, 20, 10], "keypoints": [19, 9, 2, 0, 0, 0], "num_keypoints": 1},
            {"image_id": 2, "keypoints": [1, 1, 1, 39, 19, 2]},
            {"image_id": 1, "bbox": [0, 0, 4, 4]},
            {"image_id": 1, "bbox": [0, 0, 8, 8], "keypoints": []},
            {"image_id": 1, "bbox": [0, 0, 30, 20], "iscrowd": 1},
        ),
        "marks.json",
    )
    assert source.landmark_names == ("head", "left_eye")
    assert found["cat/1.png"].box == Box(xmin=10, ymin=5, xmax=30, ymax=15)
    # COCO counts pixels, whose centres lie half a pixel from their edges.
    assert found["cat/1.png"].landmarks == {"head": Landmark(x=19.5, y=9.5)}
    assert found["dog/far/3.png"].landmarks["left_eye"] == Landmark(x=39.5, y=19.5)
    assert found["dog/1.png"].box == Box(xmin=0, ymin=0, xmax=8, ymax=8)
    assert "the largest is taken; 1 are left out" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"images": [],\n "annotations": [}', "is not valid JSON: line 2"),
        ('{"images": []}', "is not in COCO's format"),
        (coco({"image_id": 9}), r"marks.json: annotations\[0\]: 9 is missing"),
        (coco({"image_id": 0, "category_id": 1}), r"annotations\[0\]: 1 is missing"),
        (coco({"image_id": 0, "bbox": [1, 2, 0, 4]}), r"annotations\[0\]: the box .* is empty"),
        (coco({"image_id": 0, "bbox": [1, 2, 3]}), r"annotations\[0\] cannot be read"),
        (coco({"image_id": 0, "keypoints": [1, 2, 2]}), "3 numbers, but its category has 2 keypoints"),
        (coco({"image_id": 0, "keypoints": [1, "a", 2] * 2}), r"annotations\[0\] cannot be read"),
        (
            coco({"image_id": 0, "keypoints": [1, 30, 2, 1, 1, 0]}),
            r"annotations\[0\]: head of cat/1.png is at \(1.5, 30.5\)",
        ),
        (coco() | {"annotations": ["no object"]}, r"annotations\[0\] cannot be read"),
    ],
)
def test_mistakes_in_coco_are_told_by_entry(opened, content, words):
    with pytest.raises(UserError, match=f"(?s){words}"):
        opened(content, "marks.json")


def test_an_image_of_another_size_than_coco_says_is_refused(opened, photos):
    Image.new("RGB", (80, 40)).save(photos / "cat" / "1.png")
    with pytest.raises(UserError, match=r"cat/1\.png has 40x20 pixels there, 80x40 in the folder"):
        opened(coco({"image_id": 0, "bbox": [0, 0, 4, 4]}), "marks.json")
    opened(coco({"image_id": 0, "bbox": [0, 0, 4, 4]}, sized=False), "marks.json")


def test_what_the_file_says_is_part_of_what_features_are_made_of(tmp_path, photos):
    path = tmp_path / "marks.csv"
    path.write_text(csv("cat/1.png,,,,,1,2,,"))
    config = DatasetConfig(dataset="folder", data_dir=str(photos), annotations=str(path))
    before = annotation_file.identity(config)
    path.rename(tmp_path / "moved.csv")
    moved = DatasetConfig(dataset="folder", data_dir=str(photos), annotations=str(tmp_path / "moved.csv"))
    assert annotation_file.identity(moved) == before
    (tmp_path / "moved.csv").write_text(csv("cat/1.png,,,,,1,3,,"))
    assert annotation_file.identity(moved) != before
    # Features of before there were annotations stay what they are.
    assert "annotations" not in annotation_file.identity(DatasetConfig(dataset="folder"))
    with pytest.raises(UserError, match=r"--annotations=.*marks.csv cannot be read"):
        annotation_file.identity(config)


@pytest.mark.parametrize(
    "where", [{"dataset": "creatures"}, {"dataset": "folder", "data_dir": "gs://b/photos"}]
)
def test_only_a_folder_here_can_be_annotated(where):
    with pytest.raises(UserError, match=r"--annotations=marks.csv needs --dataset=folder"):
        registry.open_source(DatasetConfig(annotations="marks.csv", **where))
