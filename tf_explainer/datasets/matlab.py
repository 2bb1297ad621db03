"""Reads MATLAB struct arrays as plain Python values, from files of any MATLAB version.

    for truth in read_struct("truth_part01.mat", "truth", ["pHW_center"]):
        truth["pHW_center"]  # array([ 52.5, 190. ])

Version 5 files are read with SciPy, version 7.3 files (HDF5) with h5py. Both give the same values:

| MATLAB | Python |
| --- | --- |
| struct | dict |
| struct array, cell array | list, in MATLAB's linear order |
| char | str |
| one number | float |
| numeric array | array without its axes of length 1; empty: of size 0 |
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
import scipy.io

from tf_explainer.errors import UserError, nearest_names


def read_struct(path: str, variable: str, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Reads some fields of a struct array.

    Args:
        path: a MATLAB file of version 5 or 7.3.
        variable: the struct array's name; a single struct counts as an array of one.
        fields: the fields to read; others are not converted.

    Returns:
        One dict per element, with these fields.

    Raises:
        UserError: the file is missing, is not a MATLAB file, or lacks the variable or a field.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path} is missing")
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return _read_v73(file, path, variable, fields)
        return _read_v5(path, variable, fields)
    except UserError:
        raise
    except Exception as error:  # Both libraries raise many types on damaged files.
        raise UserError(f"{path} cannot be read as a MATLAB file (version 5 or 7.3): {error}") from error


def _read_v5(path: str, variable: str, fields: Sequence[str]) -> list[dict[str, Any]]:
    names = [name for name, _, _ in scipy.io.whosmat(path)]
    _require(variable, names, f"{path} has no variable")
    content = scipy.io.loadmat(path, variable_names=[variable], squeeze_me=True, struct_as_record=True)[
        variable
    ]
    if content.dtype.names is None:
        raise UserError(f"{path}: {variable} is not a struct array")
    for field in fields:
        _require(field, content.dtype.names, f"{path}: {variable} has no field")
    return [{field: _plain_v5(element[field]) for field in fields} for element in content.ravel("F")]


def _plain_v5(value: Any) -> Any:
    """Converts a MATLAB value that SciPy has read; scalars come wrapped as 0-d arrays."""
    value = np.asarray(value)
    if value.dtype.names:
        elements = [
            {name: _plain_v5(element[name]) for name in value.dtype.names} for element in value.ravel("F")
        ]
        return elements[0] if value.ndim == 0 else elements
    if value.dtype == object:
        return _plain_v5(value.item()) if value.ndim == 0 else [_plain_v5(each) for each in value.ravel("F")]
    if value.dtype.kind in "US":
        return str(value) if value.size else ""
    return float(value) if value.ndim == 0 else value


def _read_v73(file: h5py.File, path: str, variable: str, fields: Sequence[str]) -> list[dict[str, Any]]:
    _require(variable, [name for name in file if not name.startswith("#")], f"{path} has no variable")
    content = file[variable]
    if not isinstance(content, h5py.Group):
        raise UserError(f"{path}: {variable} is not a struct array")
    for field in fields:
        _require(field, list(content), f"{path}: {variable} has no field")
    return _elements_v73(content, fields)


def _elements_v73(group: h5py.Group, fields: Sequence[str]) -> list[dict[str, Any]]:
    columns = [_column_v73(group[field]) for field in fields]
    return [dict(zip(fields, row, strict=True)) for row in zip(*columns, strict=True)]


def _column_v73(field: h5py.Group | h5py.Dataset) -> list[Any]:
    """Returns one field of every element: a struct array stores references, a single struct the value."""
    if _is_field_of_array(field):
        return [_plain_v73(field.file[reference]) for reference in field[()].ravel()]
    return [_plain_v73(field)]


def _is_field_of_array(field: h5py.Group | h5py.Dataset) -> bool:
    # Cells are also arrays of references, but have the attribute MATLAB_class.
    return "MATLAB_class" not in field.attrs and getattr(field, "dtype", None) == h5py.ref_dtype


def _plain_v73(node: h5py.Group | h5py.Dataset) -> Any:
    kind = node.attrs.get("MATLAB_class", b"").decode()
    if isinstance(node, h5py.Group):
        elements = _elements_v73(node, list(node))
        return elements if any(_is_field_of_array(field) for field in node.values()) else elements[0]
    if "MATLAB_empty" in node.attrs:
        return {"char": "", "cell": [], "struct": []}.get(kind, np.empty(0))
    if kind == "cell":
        return [_plain_v73(node.file[reference]) for reference in node[()].ravel()]
    if kind == "char":
        return "".join(map(chr, node[()].ravel()))
    value = np.squeeze(node[()].T)
    return float(value) if value.ndim == 0 else value


def _require(name: str, known: Sequence[str], problem: str) -> None:
    if name not in known:
        raise UserError(f"{problem} {name!r}; it has: {nearest_names(name, known)}")
