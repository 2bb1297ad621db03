import io

import pytest

from tf_explainer import progress_line
from tf_explainer.progress_line import ProgressLine, shown

VALUES = {
    "reconstruction/fc1": 0.1234,
    "filter/conv_interp_1": -0.3,
    "loss": 2.0,
    "part_share": 0.25,
    "consistency": 0.5,
    "repulsion": 0.75,
    "images": 20.0,
    "stopping": 0.0,
    "gradient_square/mix": 1.0,
}


def test_the_line_has_every_term_under_a_short_name():
    assert shown(VALUES) == {
        "loss": "2",
        "p": "0.25",
        "consistency": "0.5",
        "repulsion": "0.75",
        "fc1": "0.123",
        "conv_interp_1": "-0.3",
    }


def test_epoch_step_speed_and_time_left_are_shown(monkeypatch):
    seconds = iter(range(100))
    monkeypatch.setattr(progress_line.time, "perf_counter", lambda: float(next(seconds)))
    screen = io.StringIO()
    line = ProgressLine(file=screen, ncols=200, mininterval=0)
    line.set_params({"epochs": 3, "steps": 4, "first_step": 4})
    line.on_train_begin()
    line.on_epoch_begin(1)
    for step in (5, 6, 7):
        line.on_train_batch_end(step, VALUES)
    line.on_epoch_end(2, {"validation/loss": 1.5, "loss": 2.0})
    line.on_train_end()
    written = screen.getvalue()
    assert "epoch 2/3, compiling step 5/12" in written
    assert "epoch 2/3, 20.0 images/s step 7/12" in written
    assert "left" in written
    assert "p=0.25" in written
    assert "epoch 2, held-out images: loss 1.5" in written


def test_the_speed_is_that_of_the_last_steps(monkeypatch):
    moments = iter([0.0, 10.0, 11.0, 12.0, 13.0])
    monkeypatch.setattr(progress_line.time, "perf_counter", lambda: next(moments))
    line = ProgressLine(file=io.StringIO())
    line._recent = type(line._recent)(maxlen=3)
    line.set_params({"epochs": 1, "steps": 5, "first_step": 0})
    line.on_train_begin()
    for step in range(1, 6):
        line.on_train_batch_end(step, VALUES)
    line.on_train_end()
    assert line._speed() == "20.0 images/s"
    assert sum(images for _, images in line._recent) == pytest.approx(60)
