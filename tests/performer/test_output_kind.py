"""What outputs mean, by graphs of every ending, against what Keras computes."""

import keras
import numpy as np
import pytest
from keras import ops

from tf_explainer import scores
from tf_explainer.errors import UserError
from tf_explainer.performer import output_kind

L = keras.layers
X = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)


def model_of(end, units=3):
    """A trunk with a sigmoid gate, and an ending made of the gated features and a number of outputs."""
    keras.utils.set_random_seed(1)
    image = keras.Input((6,))
    gate = L.Activation("sigmoid", name="shared")
    hidden = L.Multiply()([L.Dense(5, activation="relu")(image), gate(L.Dense(5)(image))])
    return keras.Model(image, end(hidden, units, gate))


def nested(hidden, units, _):
    inner_input = keras.Input((5,))
    inner = keras.Model(inner_input, L.Dense(units, activation="softmax")(inner_input))
    return L.Activation("linear", dtype="float32")(inner(hidden))


def convolved(hidden, units, _):
    maps = L.Conv2D(units, 1, activation="softmax")(L.Reshape((1, 1, 5))(hidden))
    return L.Flatten()(maps)


ENDS = {
    "softmax by name": (lambda x, n, _: L.Dense(n, activation="softmax")(x), "softmax"),
    "softmax function": (lambda x, n, _: L.Dense(n, activation=ops.softmax)(x), "softmax"),
    "softmax layer": (lambda x, n, _: L.Softmax()(L.Dense(n)(x)), "softmax"),
    "softmax layer as activation": (lambda x, n, _: L.Dense(n, activation=L.Softmax())(x), "softmax"),
    "softmax operation": (lambda x, n, _: ops.softmax(L.Dense(n)(x)), "softmax"),
    "softmax of a temperature": (lambda x, n, _: L.Softmax()(L.Dense(n)(x) / 3.0), "softmax"),
    "softmax, then float32": (lambda x, n, _: ops.cast(L.Dense(n, "softmax")(x), "float32"), "softmax"),
    "softmax in a nested model": (nested, "softmax"),
    "softmax of a convolution": (convolved, "softmax"),
    "log-softmax": (lambda x, n, _: L.Activation("log_softmax")(L.Dense(n)(x)), "softmax_logits"),
    "logits": (lambda x, n, _: L.Dense(n)(x), "softmax_logits"),
    "logits of a temperature": (lambda x, n, _: L.Rescaling(0.3)(L.Dense(n)(x)), "softmax_logits"),
    "logits of two": (lambda x, n, _: L.Add()([L.Dense(n)(x), L.Dense(n)(x)]), "softmax_logits"),
    "sigmoids": (lambda x, n, _: L.Dense(n, activation="sigmoid")(x), "sigmoid"),
    "sigmoid of the gate's layer": (lambda x, n, gate: gate(L.Dense(n)(x)), "sigmoid"),
    "sigmoid operation": (lambda x, n, _: ops.sigmoid(L.Dense(n)(x)), "sigmoid"),
    "sigmoids, then dropout": (lambda x, n, _: L.Dropout(0.5)(L.Dense(n, "sigmoid")(x)), "sigmoid"),
    "hard sigmoid": (lambda x, n, _: L.Dense(n, activation="hard_sigmoid")(x), "sigmoid"),
}


def check_against_the_model(model, kind):
    """Log-odds, scores and decisions by the logits are those of the model's own output."""
    own = np.asarray(model(X), np.float64)
    logits = keras.Model(model.inputs[0], output_kind.logits(model.outputs[0], kind))(X)
    np.testing.assert_allclose(scores.from_logits(logits, kind), own, rtol=1e-4, atol=1e-6)
    probabilities = own
    if kind == "softmax_logits":
        probabilities = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    elif kind == "sigmoid_logits":
        probabilities = 1 / (1 + np.exp(-own))
    if own.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    log_odds = np.asarray(scores.log_odds(logits, kind), np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), probabilities, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        scores.class_probabilities(model(X), kind), probabilities, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(scores.decisions(model(X), kind), probabilities.argmax(axis=1))
    scores.check(own, kind)


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("units", [1, 2, 3])
def test_the_graph_tells(name, units):
    end, kind = ENDS[name]
    model = model_of(end, units)
    if units == 1 and (kind == "softmax" or "log-softmax" in name):
        if kind == "softmax":
            with pytest.raises(UserError, match="one output, which a softmax makes 1"):
                output_kind.output_kind(model.outputs[0])
        return
    kind = "sigmoid_logits" if units == 1 and kind == "softmax_logits" else kind
    before = np.asarray(model(X))
    assert output_kind.output_kind(model.outputs[0]) == kind
    check_against_the_model(model, kind)
    np.testing.assert_array_equal(model(X), before)


@pytest.mark.parametrize(
    ("end", "asked"),
    [
        (lambda x, n, _: L.Average()([L.Dense(n, "softmax")(x), L.Dense(n, "softmax")(x)]), "softmax"),
        (lambda x, n, _: L.Rescaling(0.5, 0.5)(L.Dense(n, "tanh")(x)), "sigmoid"),
        (lambda x, n, _: ops.log(L.Dense(n, "softmax")(x)), "softmax_logits"),
        (lambda x, n, _: L.Dense(n, activation="relu")(x), "softmax_logits"),
    ],
)
def test_what_the_graph_does_not_tell_is_asked(end, asked):
    model = model_of(end)
    with pytest.raises(
        UserError, match=r"last operation .* does not tell the kind of its outputs: set --outputs"
    ):
        output_kind.output_kind(model.outputs[0])
    assert output_kind.output_kind(model.outputs[0], asked) == asked
    check_against_the_model(model, asked)


def test_several_logits_may_be_of_sigmoids():
    model = model_of(ENDS["logits"][0])
    assert output_kind.output_kind(model.outputs[0], "sigmoid_logits") == "sigmoid_logits"
    check_against_the_model(model, "sigmoid_logits")


@pytest.mark.parametrize(
    ("end", "asked", "message"),
    [
        (lambda x, n, _: L.Dense(n, "tanh")(x), "auto", r"tanh.*Rescaling\(0.5, 0.5\)"),
        (lambda x, n, _: L.Dense(n, "tanh")(x), "sigmoid_logits", r"tanh.*Rescaling\(0.5, 0.5\)"),
        (lambda x, n, _: L.Dense(n, "sigmoid")(x), "softmax", "returns sigmoid"),
        (lambda x, n, _: L.Dense(n)(x), "softmax", "returns sigmoid_logits or softmax_logits"),
        (lambda x, n, _: L.Softmax(axis=0)(L.Dense(n)(x)), "auto", "softmax over axis 0"),
    ],
)
def test_contradictions_are_refused(end, asked, message):
    with pytest.raises(UserError, match=message):
        output_kind.output_kind(model_of(end).outputs[0], asked)


@pytest.mark.parametrize(
    ("stored", "kind"), [([[1.4, -0.4]], "softmax"), ([[0.9, 0.8]], "softmax"), ([[-0.3]], "sigmoid")]
)
def test_scores_that_are_no_probabilities_are_refused(stored, kind):
    with pytest.raises(UserError, match=f"as --outputs={kind} says"):
        scores.check(np.array(stored), kind)


def test_log_odds_of_sure_networks_are_exact():
    logits = np.array([[200.0, 0.0, -50.0]], np.float32)
    np.testing.assert_allclose(scores.log_odds(ops.convert_to_tensor(logits), "softmax"), [[200, -200, -250]])
    assert np.isfinite(scores.log_odds(scores.logits_of(np.array([[1.0, 0.0]]), "softmax"), "softmax")).all()
    assert np.isfinite(scores.logits_of(np.array([[1.0], [0.0]], np.float32), "sigmoid")).all()
