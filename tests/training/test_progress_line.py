import io
import itertools

import pytest

from tf_explainer import progress_bar
from tf_explainer.training import progress_line
from tf_explainer.training.progress_line import ProgressLine, shown

VALUES = {
    "reconstruction/fc1": 0.1234,
    "filter/conv_interp_1": -0.3,
    "loss": 2.0,
    "part_share": 0.25,
    "prototype": 0.5,
    "consensus": 0.75,
    "images": 20.0,
    "stopping": 0.0,
    "gradient_square/mix": 1.0,
}


class Screen(io.StringIO):
    """A file that is no terminal."""

    def lines(self):
        return self.getvalue().splitlines()


def test_the_line_has_every_term_under_a_short_name():
    assert shown(VALUES) == {
        "loss": "2",
        "p": "0.25",
        "prototype": "0.5",
        "consensus": "0.75",
        "fc1": "0.123",
        "conv_interp_1": "-0.3",
    }


def test_epoch_step_speed_and_time_left_are_shown(monkeypatch):
    seconds = iter(range(100))
    monkeypatch.setattr(progress_line.time, "perf_counter", lambda: float(next(seconds)))
    monkeypatch.setattr(progress_bar.time, "monotonic", itertools.count(0, 10).__next__)
    screen = Screen()
    line = ProgressLine(screen)
    line.set_params({"epochs": 3, "total_steps": 12, "first_step": 4})
    line.on_train_begin()
    line.on_epoch_begin(1)
    for step in (5, 6, 7):
        line.on_train_batch_end(step, VALUES)
    line.on_epoch_end(
        2, {"validation/filter/a": 0.5, "validation/off": 0.0, "validation/loss": 1.5, "loss": 2.0}
    )
    line.close()
    written = screen.lines()
    assert written[0].startswith("training: 4/12 steps")
    assert any(each.startswith("epoch 2/3: 5/12 steps, compiling, ") for each in written)
    assert "epoch 2, held-out images: loss 1.5, filter/a 0.5" in written
    (last,) = [each for each in written if each.startswith("epoch 2/3: 7/12 steps, 20.0 images/s, ")]
    assert " left, loss=2, p=0.25" in last


@pytest.mark.parametrize(("expected", "taken"), [(12, 13), (12, 11), (12, 12)])
def test_the_line_ends_at_the_steps_that_were_taken(expected, taken):
    """How many steps an epoch has may turn out at its end."""
    screen = Screen()
    line = ProgressLine(screen)
    line.set_params({"epochs": 1, "total_steps": expected, "first_step": 0})
    line.on_train_begin()
    line.on_epoch_begin(0)
    for step in range(1, taken + 1):
        line.on_train_batch_end(step, VALUES)
    line.set_params({"epochs": 1, "total_steps": taken, "first_step": 0})
    line.on_train_end()
    assert screen.lines()[-1].startswith(f"epoch 1/1: {taken}/{taken} steps in 00:0")
    assert "?" not in screen.getvalue()


def test_without_epochs_the_epoch_alone_is_told():
    screen = Screen()
    line = ProgressLine(screen)
    line.set_params({"epochs": None, "total_steps": 1, "first_step": 0})
    line.on_train_begin()
    line.on_epoch_begin(0)
    line.on_train_batch_end(1, VALUES)
    line.on_train_end()
    assert screen.lines()[-1].startswith("epoch 1: 1/1 steps in ")


def test_the_speed_is_that_of_the_last_steps(monkeypatch):
    moments = iter([0.0, 10.0, 11.0, 12.0, 13.0])
    monkeypatch.setattr(progress_line.time, "perf_counter", lambda: next(moments))
    line = ProgressLine(io.StringIO())
    line._recent = type(line._recent)(maxlen=3)
    line.set_params({"epochs": 1, "total_steps": 5, "first_step": 0})
    line.on_train_begin()
    for step in range(1, 6):
        line.on_train_batch_end(step, VALUES)
    line.on_train_end()
    assert line._speed() == "20.0 images/s"
    assert sum(images for _, images in line._recent) == pytest.approx(60)
