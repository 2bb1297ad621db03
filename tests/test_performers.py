import keras
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from tf_explainer import performers
from tf_explainer.command_line import flags
from tf_explainer.errors import UserError

L = keras.layers
MOBILENET = ("--backbone=mobilenet", "--backbone_weights=none", "--backbone_alpha=0.25", "--image_size=64")


@pytest.fixture
def listing(capsys):
    """Runs the binary's step, and returns what it prints."""

    def run(*arguments):
        flags.FLAGS(["performers", *arguments])
        performers.main(["performers"])
        return capsys.readouterr().out

    with flagsaver.flagsaver():
        yield run


def row(text, layer):
    return next(line for line in text.splitlines() if line[2:].split()[:1] == [layer])


def test_a_backbone_is_listed_with_its_head(listing):
    text = listing(*MOBILENET)
    assert text.splitlines()[0] == ("mobilenet, weights: none, head: average, 512, 512, 64 x 64 pixels")
    assert row(text, "conv_pw_5_relu").startswith("> conv_pw_5_relu   8 x 8 x 64")
    assert row(text, "conv_pw_5_relu").split()[7:11] == ["activation", "43", "8", "7.5"]
    assert [line[:1] for line in text.splitlines()].count(">") == 2
    assert "> target layer (by the rule in docs/performers.md): conv_pw_5_relu 8 x 8 x 64" in text
    assert "distilled layers: fc1 (512), fc2 (512)" in text


def test_named_layers_are_marked(listing):
    text = listing(*MOBILENET, "--target_layer=conv_pw_3_relu", "--distilled_layers=fc2")
    assert row(text, "conv_pw_3_relu").startswith("> ")
    assert "(by --target_layer): conv_pw_3_relu 16 x 16 x 32" in text
    assert "distilled layers: fc2 (512)" in text


@pytest.fixture
def swish(tmp_path):
    image = keras.Input((32, 32, 3))
    x = L.Conv2D(4, 7, strides=4, padding="same", name="first", activation="relu")(
        L.Rescaling(1 / 255)(image)
    )
    x = L.Conv2D(4, 7, padding="same", activation="swish", name="second")(x)
    model = keras.Model(image, L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D(name="pool")(x)))
    for weight in model.get_layer("second").weights:
        weight.assign(-np.ones(weight.shape))
    model.save(tmp_path / "performer.keras")
    return tmp_path


def test_files_are_listed_with_what_is_cut_away(listing, swish):
    Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save(swish / "grey.png")
    text = listing(f"--performer={swish}/performer.keras", "--image_size=32", f"--image={swish}/grey.png")
    assert text.startswith(f"{swish}/performer.keras, 32 x 32 pixels\n")
    assert row(text, "second").split()[-2:] == ["100.0%", "100.0%"]
    assert (
        "second can be negative: it is explained as max(x, 0), which leaves out 100.0% of its energy" in text
    )
    assert "distilled layers: pool (4)" in text


def test_the_work_directory_holds_a_performer_too(listing, swish):
    text = listing(f"--workdir={swish}", "--image_size=32")
    assert text.startswith(f"{swish}/performer.keras, 32 x 32 pixels\n")


def test_weights_that_cannot_be_had_are_refused_where_a_file_was_named(listing):
    with pytest.raises(UserError, match="no such file"):
        listing("--backbone=mobilenet", "--backbone_weights=nowhere.h5", "--image_size=64")


def test_layers_are_listed_where_the_rule_finds_none(listing, tmp_path):
    """One convolution sees 3 of 32 pixels: no target by itself, but one that may be named."""
    image = keras.Input((32, 32, 3))
    x = L.Conv2D(4, 3, padding="same", activation="relu", name="narrow")(image)
    model = keras.Model(image, L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D(name="pool")(x)))
    model.save(tmp_path / "performer.keras")
    arguments = (f"--performer={tmp_path}/performer.keras", "--image_size=32")
    text = listing(*arguments)
    assert row(text, "narrow").startswith("  narrow  32 x 32 x 4  activation")
    assert text.splitlines()[-1].startswith("> no layer qualifies as the target layer: ")
    assert "name one by --target_layer" in text
    assert row(listing(*arguments, "--target_layer=narrow"), "narrow").startswith("> narrow")


def test_a_network_without_any_map_is_refused(listing, tmp_path):
    image = keras.Input((32, 32, 3))
    keras.Model(image, L.Dense(3, activation="softmax")(L.Flatten()(image))).save(
        tmp_path / "performer.keras"
    )
    with pytest.raises(UserError, match="no layer qualifies as the target layer"):
        listing(f"--performer={tmp_path}/performer.keras", "--image_size=32")
