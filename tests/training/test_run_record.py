import json

from tests.support.small_training import small_features
from tf_explainer.training.run_record import RunRecord
from tf_explainer.training.training_identity import feature_fingerprint


def test_a_run_can_be_told_from_its_record(tmp_path):
    manifest = small_features(tmp_path / "features")
    path = tmp_path / "run" / "run.json"
    flags = {"epochs": 3, "categories": ["fox"]}
    record = RunRecord(str(path), manifest, flags, {"training": 7}, ["CPU:0"])
    assert not path.exists()  # a run that is refused leaves no record
    record.on_train_begin()
    record = json.loads(path.read_text())
    assert record["flags"] == {"epochs": 3, "categories": ["fox"]}
    assert record["seeds"] == {"training": 7}
    assert record["features"] == feature_fingerprint(manifest)
    assert {"python", "tensorflow", "keras"} <= set(record["versions"])
    assert record["git_revision"] is None or len(record["git_revision"].rstrip("+")) == 40
    assert record["devices"] == ["CPU:0"]
