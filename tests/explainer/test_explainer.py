"""The whole network: shapes, names, saving, starting point, and what `fit` does."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

import tf_explainer.explainer.explainer as explainer_module
from tests.support.slow_cases import slow_but
from tf_explainer.config import ExplainerConfig
from tf_explainer.explainer import templates
from tf_explainer.explainer.explainer import DistilledLayer, Explainer
from tf_explainer.training.optimizer import GroupedAdam

SIDE, CHANNELS, UNITS = 6, 8, 10


@pytest.fixture
def features():
    return np.maximum(np.random.default_rng(1).normal(size=(12, SIDE, SIDE, CHANNELS)), 0).astype("float32")


@pytest.fixture
def head():
    """The performer above its target layer: pooling, fc1, fc2."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((SIDE, SIDE, CHANNELS))
    pooled = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(inputs))
    trunk = keras.Model(inputs, pooled)
    fc1 = keras.layers.Dense(UNITS, activation="relu", name="fc1")
    fc2 = keras.layers.Dense(UNITS, activation="relu", name="fc2")
    first = fc1(pooled)
    return trunk, keras.Model(inputs, {"fc1": first, "fc2": fc2(first)}), (fc1, fc2)


def build(trunk, feature_mean=0.4, **changes):
    return Explainer(
        feature_shape=(SIDE, SIDE, CHANNELS),
        feature_mean=feature_mean,
        distilled=[
            DistilledLayer(name=name, units=UNITS, activation="relu", mean_square_norm=2.0)
            for name in ("fc1", "fc2")
        ],
        trunk=trunk,
        head=classifier(),
        config=dataclasses.replace(ExplainerConfig(), **changes),
    )


def classifier(classes=3):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((UNITS,))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(inputs))


def test_layers_have_the_methods_names_and_can_be_cut_out(head, features):
    explainer = build(head[0], mask_beta_1=4.0)
    for name in ("conv_interp_1", "conv_interp_2", "conv_ordin", "fc_dec_1", "fc_dec_2"):
        cut = keras.Model(explainer.input, explainer.get_layer(name).output)
        assert cut(features).shape[0] == len(features)
    outputs = explainer(features)
    assert set(outputs) == {"conv_interp_1", "conv_interp_2", "fc1", "fc2", "scores"}
    np.testing.assert_allclose(outputs["scores"], explainer.head(outputs["fc2"]))
    assert outputs["conv_interp_2"].shape == features.shape
    assert outputs["fc2"].shape == (len(features), UNITS)


def test_saved_explainer_loads_without_custom_objects(head, features, tmp_path):
    explainer = build(head[0])
    explainer(features, training=True)
    explainer.rescale_decoder()
    explainer.save(tmp_path / "explainer.keras")
    again = keras.models.load_model(tmp_path / "explainer.keras")
    assert isinstance(again, Explainer)
    assert again.config == explainer.config
    assert again.part_share == pytest.approx(again.config.initial_part_share)
    for name, expected in explainer(features).items():
        np.testing.assert_array_equal(again(features)[name], expected)


def test_decoder_starts_as_the_performer(head, features):
    """Identity tracks without a mask carry the features through: the decoder gives them back exactly."""
    trunk, performer, dense = head
    explainer = build(
        trunk, feature_mean=float(features.mean()), init_shift=0, mask_beta_2=0.0, norm_floor=0.0
    )
    explainer(features, training=True)
    explainer.rescale_decoder()
    for number, layer in enumerate(dense, start=1):
        explainer.copy_to_decoder(number, *layer.get_weights())
    expected = performer(features)
    for name in ("fc1", "fc2"):
        np.testing.assert_allclose(explainer(features)[name], expected[name], rtol=1e-3, atol=1e-4)


def test_loss_terms_add_up_with_their_weights(head, features):
    explainer = build(
        head[0],
        filter_weight=0.7,
        part_share_weight=0.1,
        consensus_weight=2.0,
        competition_weight=3.0,
        prototype_weight=0.5,
        initial_part_share=0.2,
    )
    outputs = explainer(features, training=True)
    targets = {name: np.ones((len(features), UNITS), "float32") for name in ("fc1", "fc2")}
    terms = explainer.loss_terms(targets, outputs)
    assert set(terms) == set(explainer.loss_weights_by_term)
    expected = (
        terms["reconstruction/fc1"]
        + terms["reconstruction/fc2"]
        + 0.7 * (terms["filter/conv_interp_1"] + terms["filter/conv_interp_2"])
        + 0.1 * terms["part_share"]
        + 2.0 * terms["consensus"]
        + 3.0 * terms["competition"]
        + 0.5 * terms["prototype"]
    )
    assert float(explainer.total_loss(terms)) == pytest.approx(float(expected), rel=1e-6)
    assert float(explainer.compute_loss(None, targets, outputs)) == pytest.approx(float(expected), rel=1e-6)
    assert float(terms["part_share"]) == pytest.approx(-np.log(0.2), rel=1e-5)


@pytest.mark.slow
def test_training_does_not_depend_on_the_scale_of_the_performers_weights(head, features):
    """The performer that reads features of 100 times the size by weights of a hundredth is the same one."""
    trunk, performer, dense = head
    targets = {name: ops.convert_to_numpy(value) for name, value in performer(features).items()}
    histories = []
    for factor in (1.0, 100.0):
        explainer = build(trunk, feature_mean=factor * float(features.mean()))
        kernel, bias = dense[0].get_weights()
        explainer.copy_to_decoder(1, kernel / factor, bias)
        explainer.copy_to_decoder(2, *dense[1].get_weights())
        explainer(factor * features, training=True)
        explainer.rescale_decoder()
        explainer.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
        fitted = explainer.fit(factor * features, targets, epochs=4, batch_size=6, shuffle=False, verbose=0)
        histories.append(fitted.history["loss"])
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-3)


def test_fits_like_any_keras_model(head, features):
    trunk, performer, _ = head
    explainer = build(trunk)
    targets = {name: ops.convert_to_numpy(value) for name, value in performer(features).items()}
    explainer.compile(GroupedAdam(1e-3, {"mix": 20.0}))
    history = explainer.fit(features, targets, epochs=8, batch_size=6, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_trunk_never_changes(features):
    inputs = keras.Input((SIDE, SIDE, CHANNELS))
    x = keras.layers.Conv2D(4, 3, padding="same", name="above")(inputs)
    x = keras.layers.BatchNormalization()(x)
    trunk = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    explainer = build(trunk)
    before = [np.array(w) for w in trunk.get_weights()]
    explainer.compile(GroupedAdam(1e-2), run_eagerly=True)
    targets = {name: np.ones((len(features), UNITS), "float32") for name in ("fc1", "fc2")}
    explainer.fit(features, targets, epochs=2, verbose=0)
    for now, then in zip(trunk.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_refuses_a_map_that_is_not_square(head):
    with pytest.raises(ValueError, match="not 6x5"):
        Explainer(
            feature_shape=(6, 5, 8),
            feature_mean=1.0,
            distilled=[],
            trunk=head[0],
            head=classifier(),
            config=ExplainerConfig(),
        )


def test_interpretable_layers_are_layers_of_the_network(head):
    names = [layer.name for layer in build(head[0]).layers]
    assert set(explainer_module.INTERPRETABLE_LAYERS) <= set(names)


def trained_by_filter_loss(trunk, features, targets, **changes):
    """Trains the interpretable track by the filter loss alone; `[B, L, L, F]` maps before and after."""
    weights = dict.fromkeys(
        ("consensus_weight", "competition_weight", "prototype_weight", "reconstruction_weight"), 0.0
    )
    explainer = build(trunk, filter_weight=3.0, init_shift=1, part_share_weight=0.0, **weights, **changes)
    before = np.asarray(explainer(features, training=True)["conv_interp_2"])
    explainer.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    explainer.fit(features, targets, epochs=9, batch_size=12, verbose=0)
    return before, np.asarray(explainer(features)["conv_interp_2"])


@pytest.fixture(name="targets")
def _targets(head, features):
    targets = {name: ops.convert_to_numpy(value) for name, value in head[1](features).items()}
    return targets | {"scores": np.eye(3, dtype="float32")[np.arange(len(features)) % 3]}


@pytest.mark.parametrize("filter_loss", slow_but(["exact", "closed_form"], ["closed_form"]))
@pytest.mark.parametrize("assignment", slow_but(["none", "activation", "predicted"], ["activation"]))
def test_both_gradients_raise_the_mutual_information(head, features, targets, filter_loss, assignment):
    maps = trained_by_filter_loss(
        head[0], features, targets, filter_loss=filter_loss, category_assignment=assignment
    )
    judge = build(head[0], category_assignment=assignment)
    terms = []
    for each in maps:
        judge.get_layer("conv_interp_2").peak.value.assign(each.max((1, 2)).mean(0))
        outputs = dict(judge(features)) | {"conv_interp_2": each}
        terms.append(float(judge.loss_terms(targets, outputs, training=True)["filter/conv_interp_2"]))
    assert terms[1] < terms[0] - 0.01


@pytest.mark.slow
def test_icnns_weighting_raises_the_assigned_templates_scores(head, features, targets):
    def scores(maps):
        maps = maps / maps.max((1, 2)).mean(0)
        template = np.asarray(templates.centred_templates(maps, np.full(CHANNELS, 4.0, "float32")))
        return (maps * template).sum((1, 2))

    trained = trained_by_filter_loss(head[0], features, targets, filter_loss="icnn")
    before, after = map(scores, trained)
    assert after.mean() > before.mean() + 0.5
    assert after.std(0).mean() > before.std(0).mean()


def test_predicted_categories_share_out_filters(head, features):
    explainer = build(head[0], category_assignment="predicted")
    labels = np.arange(len(features)) % 3
    targets = {name: np.ones((len(features), UNITS), "float32") for name in ("fc1", "fc2")}
    targets["scores"] = np.eye(3, dtype="float32")[labels]
    maps = np.zeros((len(features), SIDE, SIDE, CHANNELS), "float32")
    for b, label in enumerate(labels):
        maps[b, 2, 2, label::3] = 1.0  # filters 0, 3, 6 respond to class 0, ...
    outputs = dict(explainer(features, training=True)) | {"conv_interp_2": maps}
    explainer.loss_terms(targets, outputs, training=True)
    categories = explainer.categories["conv_interp_2"]
    np.testing.assert_array_equal(categories.category(), np.arange(CHANNELS) % 3)
    categories.negative_class = 2
    assert 2 not in ops.convert_to_numpy(categories.category())


def test_images_without_an_object_have_no_parts_whoever_tells_them(head, features, targets):
    none = targets["scores"].argmax(1) == 2

    def part_terms(explainer, targets):
        terms = explainer.loss_terms(targets, explainer(features))
        return {name: float(terms[name]) for name in ("prototype", "consensus", "competition")}

    explainer = build(head[0])
    prototypes = explainer.prototypes
    random = np.random.default_rng(0)
    explainer.set_parts(
        *(random.normal(size=each.shape) for each in (prototypes.projection, prototypes.prototypes)),
        groups=np.arange(CHANNELS) % prototypes.parts,
    )
    targets |= {"explainer_input": features}
    of_all = part_terms(explainer, targets)
    by_data_set = part_terms(explainer, targets | {"shows_object": 1 - none.astype("float32")})
    explainer.negative_class = 2
    by_performer = part_terms(explainer, targets)
    assert by_data_set == by_performer
    assert all(value != of_all[name] for name, value in by_performer.items())


DEVIATION = np.linspace(0.5, 2.0, CHANNELS).astype("float32")


def test_what_channels_share_is_taken_from_each(head, features):
    explainer = build(head[0], init_shift=0, input_scale=1.0)
    deviation = DEVIATION.copy()
    deviation[3] = 0
    x = ops.convert_to_numpy(explainer.get_layer("input_scale")(features))
    explainer.inhibit(deviation, 0.0)
    np.testing.assert_allclose(explainer(features)["conv_interp_1"], x, rtol=1e-5)
    explainer.inhibit(deviation, 1.5)
    varying = np.arange(CHANNELS) != 3
    shared = (x[..., varying] / deviation[varying]).sum(-1, keepdims=True) / CHANNELS
    expected = np.maximum(x - 1.5 * deviation * shared, 0)
    assert 0 < (expected == 0).mean() < 1
    np.testing.assert_allclose(explainer(features)["conv_interp_1"], expected, rtol=1e-4, atol=1e-5)


def test_a_filter_that_starts_moved_is_inhibited_where_it_is(head):
    explainer = build(head[0], init_shift=1)
    kernel = explainer.get_layer("conv_interp_1").kernel
    before = ops.convert_to_numpy(kernel)
    explainer.inhibit(DEVIATION, 2.0)
    after = ops.convert_to_numpy(kernel)
    moved = 0
    for f in range(CHANNELS):
        row, column = np.argwhere(before[:, :, f, f])[0]
        expected = np.zeros(before.shape[:3], "float32")
        expected[row, column] = -2.0 * DEVIATION[f] / DEVIATION / CHANNELS
        expected[row, column, f] += 1
        np.testing.assert_allclose(after[..., f], expected, rtol=1e-5)
        moved += (row, column) != (1, 1)
    assert moved


def test_random_filters_are_not_inhibited(head):
    explainer = build(head[0], interpretable_init="he")
    kernel = explainer.get_layer("conv_interp_1").kernel
    before = ops.convert_to_numpy(kernel)
    explainer.inhibit(DEVIATION, 2.0)
    np.testing.assert_array_equal(kernel, before)


def test_classification_follows_the_performers_decisions(head, features):
    explainer = build(head[0], classification_weight=1.0)
    targets = {name: np.ones((len(features), UNITS), "float32") for name in ("fc1", "fc2")}
    outputs = explainer(features)
    scores = ops.convert_to_numpy(outputs["scores"])
    agreed = explainer.loss_terms(targets | {"scores": scores}, outputs)["classification"]
    assert float(agreed) == pytest.approx(-np.log(scores.max(1)).mean(), rel=1e-4)
