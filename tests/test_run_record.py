import json

from tests.small_training import small_features
from tf_explainer.run_record import write_run_record
from tf_explainer.training_identity import feature_fingerprint


def test_a_run_can_be_told_from_its_record(tmp_path):
    manifest = small_features(tmp_path / "features")
    path = tmp_path / "run" / "run.json"
    write_run_record(str(path), manifest, {"epochs": 3, "categories": ["fox"]}, {"training": 7}, ["CPU:0"])
    record = json.loads(path.read_text())
    assert record["flags"] == {"epochs": 3, "categories": ["fox"]}
    assert record["seeds"] == {"training": 7}
    assert record["features"] == feature_fingerprint(manifest)
    assert {"python", "tensorflow", "keras"} <= set(record["versions"])
    assert record["git_revision"] is None or len(record["git_revision"].rstrip("+")) == 40
    assert record["devices"] == ["CPU:0"]
