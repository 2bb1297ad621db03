"""Which object parts does this CNN look at? An explainer network for Keras, learned without labels.

Importing the package registers its layers, so that `keras.models.load_model("explainer.keras")` needs no
`custom_objects`.
"""

from tf_explainer.keras_registration import register_with_keras

register_with_keras()
