"""Writes MATLAB files of both versions, as MATLAB itself lays struct arrays out."""

import h5py
import numpy as np
import scipy.io


def struct_array(elements):
    """A struct array for `scipy.io.savemat`; nested lists of dicts become struct arrays too."""
    array = np.zeros((1, len(elements)), [(name, object) for name in elements[0]])
    for column, element in enumerate(elements):
        for name, value in element.items():
            is_structs = isinstance(value, list) and value and isinstance(value[0], dict)
            array[0, column][name] = struct_array(value) if is_structs else value
    return array


def save_v5(path, variable, elements):
    scipy.io.savemat(path, {variable: struct_array(elements)})


def save_v73(path, variable, elements):
    with h5py.File(path, "w", userblock_size=512) as file:
        _V73Writer(file).struct_array(file, variable, elements)


class _V73Writer:
    """Writes the HDF5 layout that MATLAB uses for struct arrays, cells and text."""

    def __init__(self, file):
        self._file = file
        self._count = 0

    def value(self, where, name, value):
        if isinstance(value, str):
            node = where.create_dataset(name, data=np.array([[ord(c)] for c in value] or [0, 0], np.uint16))
            node.attrs["MATLAB_class"] = np.bytes_("char")
            if not value:
                node.attrs["MATLAB_empty"] = np.uint8(1)
        elif isinstance(value, dict):
            group = where.create_group(name)
            group.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, content in value.items():
                self.value(group, field, content)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            self.struct_array(where, name, value)
        elif isinstance(value, list) and any(isinstance(each, str) for each in value):
            node = where.create_dataset(name, data=self._references(value), dtype=h5py.ref_dtype)
            node.attrs["MATLAB_class"] = np.bytes_("cell")
        else:
            data = np.atleast_2d(np.array(value, float)).T
            node = where.create_dataset(name, data=data if data.size else np.zeros(2, np.uint64))
            node.attrs["MATLAB_class"] = np.bytes_("double")
            if not data.size:
                node.attrs["MATLAB_empty"] = np.uint8(1)

    def struct_array(self, where, name, elements):
        group = where.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for field in elements[0]:
            values = self._references([element[field] for element in elements])
            group.create_dataset(field, data=values, dtype=h5py.ref_dtype)

    def _references(self, values):
        store = self._file.require_group("#refs#")
        references = np.empty((len(values), 1), h5py.ref_dtype)
        for index, value in enumerate(values):
            self._count += 1
            name = f"r{self._count}"
            self.value(store, name, value)
            references[index, 0] = store[name].ref
        return references
