"""Builds an explainer whose decoder starts with the performer's weights.

With randomly initialised weights the decoder does not learn to reconstruct the performer's layers.
"""

from __future__ import annotations

from tf_explainer.config import ExplainerConfig
from tf_explainer.explainer.explainer import DistilledLayer, Explainer
from tf_explainer.features.outputs import outputs_of
from tf_explainer.features.schema import Manifest
from tf_explainer.performer.performer import Performer


def explainer_for(
    performer: Performer, manifest: Manifest, config: ExplainerConfig, seed: int = 0
) -> Explainer:
    """Builds an explainer whose decoder is a copy of the performer's layers.

    Args:
        performer: the network that the features come from.
        manifest: manifest of these features, with the shapes and the statistics that scale input and losses.
        config: architecture and loss weights.
        seed: seed of the interpretable track.

    Returns:
        An explainer, with its variables created in the current scope. Call its `rescale_decoder` once its
        running statistics have seen images.
    """
    dense = performer.distilled_dense()
    negative = manifest.negative_label
    negative_class = -1 if negative is None else int(outputs_of(performer, manifest).of_labels[negative])
    explainer = Explainer(
        feature_shape=manifest.target.shape,
        feature_mean=manifest.target.mean,
        distilled=[
            DistilledLayer(
                name=layer.name,
                units=layer.shape[-1],
                activation=getattr(dense[layer.name], "activation", "linear"),
                mean_square_norm=layer.mean_square_norm,
            )
            for layer in manifest.distilled
        ],
        trunk=performer.trunk(),
        head=performer.head(),
        config=config,
        output_kind=performer.output_kind,
        performer=manifest.performer,
        negative_class=None if negative_class < 0 else negative_class,
        seed=seed,
    )
    for number, layer in enumerate(manifest.distilled, start=1):
        if (weights := dense[layer.name]) is not None:
            explainer.copy_to_decoder(number, weights.kernel, weights.bias)
    return explainer
