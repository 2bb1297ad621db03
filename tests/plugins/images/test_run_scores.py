import numpy as np
import pytest

from tests.support.evaluation_example import features_of, small_explainer, small_head
from tf_explainer.config import AttributionConfig
from tf_explainer.evaluation.collected_responses import PERFORMER
from tf_explainer.evaluation.parts import Part
from tf_explainer.explanation import average_image, removal, verdict
from tf_explainer.explanation.attribution import Attributor
from tf_explainer.plugins.images.run_scores import of_images
from tf_explainer.plugins.parts.run_snapshot import ShownImages


@pytest.mark.slow
def test_the_performer_s_class_is_explained_image_by_image(tmp_path):
    features, _ = features_of(tmp_path)
    explainer, head = small_explainer(), small_head()
    average = average_image.mean_features(features)
    shown = ShownImages.choose(features, "all", 40)
    parts = [Part(number=1, name="head", filters=(4, 1)), Part(number=2, name="legs", filters=(0,))]
    scores = of_images(explainer, head, shown, average, parts)
    assert len(scores.ranked[0].classes) > 32, "more than one batch"
    assert scores.ranked[0].classes.tolist() == shown.images.predicted.tolist()
    classes = np.stack([one.classes for one in scores.ranked], axis=1)
    assert (np.sort(classes, axis=1) == np.arange(classes.shape[1])).all(), "each class once"
    likely = np.take_along_axis(scores.performer_scores, classes, axis=1)
    assert (np.diff(likely, axis=1) <= 0).all()
    whole = shown.maps(explainer, PERFORMER).astype(np.float32)
    for rank, one in enumerate(scores.ranked):
        attributor = Attributor(explainer, head, "softmax", average, AttributionConfig(steps=17))
        at_once = attributor.attribute(whole, one.classes)
        np.testing.assert_allclose(one.attribution.parts, at_once.parts, atol=1e-5)
        alone = removal.losses(attributor, whole, one.classes, [(4, 1), (0,)])
        np.testing.assert_allclose(scores.lost[:, rank], alone, atol=1e-5)
        log_odds = scores.explainer_scores[np.arange(len(whole)), one.classes]
        np.testing.assert_allclose(one.attribution.scores, log_odds, atol=1e-5)
        for n, words in enumerate(one.index(scores.performer_scores)["verdicts"]):
            explained = verdict.explains(
                one.attribution.scores[n], one.attribution.parts[n].sum(), one.attribution.baseline[n]
            )
            assert ("do not explain this score" in words) == (not explained)
