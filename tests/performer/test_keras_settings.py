import json

import keras
import pytest

from tf_explainer.errors import UserError
from tf_explainer.performer import keras_settings


@pytest.mark.parametrize(
    ("setting", "value"), [("image_data_format", "channels_first"), ("floatx", "float16"), ("backend", "jax")]
)
def test_settings_that_change_networks_are_named_with_their_file(tmp_path, monkeypatch, setting, value):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delitem(keras_settings.sys.modules, "keras")
    (tmp_path / "keras.json").write_text(json.dumps({setting: value}))
    with pytest.raises(
        UserError, match=rf"Keras is set to {setting}={value} by {tmp_path}/keras.json: set it to"
    ):
        keras_settings.check()


def test_settings_of_the_process_are_named(monkeypatch):
    monkeypatch.setattr(keras.config, "floatx", lambda: "float16")
    with pytest.raises(UserError, match="floatx=float16 by this process"):
        keras_settings.check()


@pytest.mark.parametrize("text", ['{"floatx": "float32", "epsilon": 1e-7}', "no JSON", "[]"])
def test_other_settings_pass(tmp_path, monkeypatch, text):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text(text)
    keras_settings.check()


def test_a_backend_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(UserError, match="backend=torch by the environment variable KERAS_BACKEND"):
        keras_settings.check()
