import pytest

from tf_explainer.training.learning_rate import schedule_factor


@pytest.mark.parametrize(
    ("schedule", "expected"), [("constant", (1, 1, 1)), ("linear", (1, 0.5, 0)), ("cosine", (1, 0.5, 0))]
)
def test_schedules_fall_from_one_to_where_they_end(schedule, expected):
    assert [schedule_factor(schedule, t) for t in (0, 0.5, 1)] == pytest.approx(expected)


def test_the_cosine_falls_slowly_at_first():
    assert schedule_factor("cosine", 0.25) == pytest.approx((1 + 2**-0.5) / 2)


def test_warmup_rises_in_even_steps():
    assert [schedule_factor("constant", 0, step, warmup=3) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
