import warnings

import pytest


@pytest.mark.parametrize(
    "module", ["tf_explainer.explainer.losses", "pipelines.extraction.feature_extraction"]
)
def test_a_warning_of_ours_is_an_error(module):
    with pytest.raises(DeprecationWarning):
        warnings.warn_explicit("old", DeprecationWarning, "a_file.py", 1, module=module)


def test_a_warning_of_a_library_is_not():
    with pytest.warns(DeprecationWarning, match="old"):
        warnings.warn_explicit("old", DeprecationWarning, "a_file.py", 1, module="numpy")
