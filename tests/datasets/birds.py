"""A tiny Caltech-UCSD Birds 200-2011 in its official layout."""

from PIL import Image

_OFFICIAL_PARTS = """1 back
2 beak
3 belly
4 breast
5 crown
6 forehead
7 left eye
8 left leg
9 left wing
10 nape
11 right eye
12 right leg
13 right wing
14 tail
15 throat
"""
PARTS = [line.split(maxsplit=1)[1] for line in _OFFICIAL_PARTS.splitlines()]


def write(folder, count=6):
    """Writes `count` photographs of 40 x 30 pixels of the first species, every third a test image."""
    (folder / "parts").mkdir(parents=True)
    names = [f"{number:03d}.Bird_{number}" for number in range(1, 201)]
    images = [f"{names[index % 3]}/Bird_{index:04d}.jpg" for index in range(count)]
    for path in images:
        (folder / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), "blue").save(folder / "images" / path)

    def table(name, rows):
        (folder / name).write_text("".join(f"{' '.join(map(str, row))}\n" for row in rows))

    table("classes.txt", enumerate(names, start=1))
    table("images.txt", enumerate(images, start=1))
    table("image_class_labels.txt", [(index + 1, index % 3 + 1) for index in range(count)])
    table("train_test_split.txt", [(index + 1, int(index % 3 != 2)) for index in range(count)])
    table("bounding_boxes.txt", [(index + 1, "4.0", "3.0", "20.0", "24.0") for index in range(count)])
    (folder / "parts/parts.txt").write_text(_OFFICIAL_PARTS)
    # Parts that cannot be seen have the place 0, 0.
    table(
        "parts/part_locs.txt",
        [
            (index + 1, part, *(("0.0", "0.0", 0) if part > 7 else (f"{part}.5", f"{index}.0", 1)))
            for index in range(count)
            for part in range(1, 16)
        ],
    )
