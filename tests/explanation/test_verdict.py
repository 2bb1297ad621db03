"""Which scores object parts explain, and what is said where they do not."""

import pytest
from PIL import ImageFont

from tf_explainer.explanation import verdict


@pytest.mark.parametrize(
    ("score", "parts", "baseline", "explained"),
    [
        (4.0, 8.0, -5.0, True),
        (4.0, 3.0, 1.0, True),
        (4.0, 3.0, -5.0, False),  # It is the others that lift the score.
        (4.0, 14.0, -5.0, False),
        (4.2, -2.2, 0.0, False),
        (-4.0, -3.0, 0.5, True),
        (6.1, 1.7, 4.5, False),  # An image without anything has most of it.
        (-6.1, -1.7, -4.5, False),
    ],
)
def test_what_explains_a_score(score, parts, baseline, explained):
    assert verdict.explains(score, parts, baseline) == explained
    words = verdict.verdict(score, {verdict.PARTS: parts, "a": 0.1, verdict.BASELINE: baseline})
    assert ("do not explain" in words) == (not explained)
    assert f"they give {parts:+.2f} of the {score - baseline:+.2f} nats" in words
    assert f"{baseline:+.2f}, to {score:+.2f}" in words


def test_a_verdict_names_what_has_most_instead():
    words = verdict.verdict(4.2, {verdict.PARTS: -2.2, "textures": 6.3, verdict.BASELINE: 0.1})
    assert words.endswith("; textures: +6.30.")


def test_it_fits_the_pictures():
    others = (verdict.OFF_OBJECT, verdict.OTHER_FILTERS, verdict.ORDINARY, verdict.BASELINE, verdict.GAP)
    for most in others:
        terms = {verdict.PARTS: 12.22} | dict.fromkeys(others, 0.1) | {most: 26.66}
        words = verdict.verdict(-14.22, terms)
        assert f"; {most}: +26.66." in words
        assert ImageFont.load_default(15).getlength(words) <= 1040 - 2 * 24
