"""Beam's resource hints: what the workers of a step must have."""

from __future__ import annotations

from apache_beam.transforms.resources import parse_resource_hints

from tf_explainer.errors import UserError


def resource_hints(accelerator: str, min_ram: str) -> dict[str, str]:
    """Returns the hints for `PTransform.with_resource_hints`.

    Args:
        accelerator: a GPU's name at Google (`nvidia-tesla-t4`), or the complete hint
            (`type:nvidia-tesla-t4;count:2;install-nvidia-driver`); empty: no GPU.
        min_ram: minimum memory of a worker, e.g. `16GB`; empty: no minimum.

    Raises:
        UserError: a value is malformed.
    """
    hints = {}
    if accelerator:
        hints["accelerator"] = _accelerator_hint(accelerator)
    if min_ram:
        hints["min_ram"] = min_ram
        try:
            parse_resource_hints(hints)
        except ValueError as error:
            raise UserError(f"--worker_min_ram={min_ram} is not a size such as 16GB") from error
    return hints


def _accelerator_hint(accelerator: str) -> str:
    if ":" not in accelerator and ";" not in accelerator:
        return f"type:{accelerator};count:1;install-nvidia-driver"
    parts = dict(part.partition(":")[::2] for part in accelerator.split(";"))
    if not parts.get("type") or not parts.get("count", "").isdigit():
        raise UserError(
            f"--accelerator={accelerator} is neither a name such as nvidia-tesla-t4 nor a hint such as "
            "'type:nvidia-tesla-t4;count:1;install-nvidia-driver'"
        )
    return accelerator
