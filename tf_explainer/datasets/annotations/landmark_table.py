"""Parses annotations in comma-separated values, one line for each image.

    file,x0,y0,x1,y1,head_x,head_y,tail_x,tail_y
    cat/1.jpg,12,30,210,180,40.5,52,200,61
    cat/2.jpg,,,,,80,44,,

The box and each landmark are optional. (0, 0) is the image's top left corner.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence

from tf_explainer.datasets.annotations.annotated_object import AnnotatedObject
from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, Landmark

_FILE, _BOX = "file", ("x0", "y0", "x1", "y1")
_COLUMNS = "columns are file, x0, y0, x1, y1 (or no box) and NAME_x, NAME_y for each landmark"


def parse(path: str, content: bytes) -> tuple[tuple[str, ...], list[AnnotatedObject]]:
    """Returns the names of the landmarks, and the objects.

    Raises:
        UserError: the file is malformed; the message names the line.
    """
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [column.strip() for column in next(rows, [])]
        names = _landmark_names(path, header)
        objects = []
        seen: dict[str, int] = {}
        for row in rows:
            if any(cell.strip() for cell in row):
                where = f"{os.path.basename(path)}:{rows.line_num}"
                objects.append(_object(where, header, names, row))
                before = seen.setdefault(objects[-1].file, rows.line_num)
                if before != rows.line_num:
                    raise UserError(f"{where}: {objects[-1].file!r} is also in line {before}: keep one line")
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--annotations={path} is neither COCO's JSON nor CSV in UTF-8: {error}") from error
    return names, objects


def _landmark_names(path: str, header: Sequence[str]) -> tuple[str, ...]:
    where = f"{os.path.basename(path)}:1"
    box = [name for name in _BOX if name in header]
    names = dict.fromkeys(name[:-2] for name in header if name.endswith(("_x", "_y")) and len(name) > 2)
    known = [_FILE, *_BOX, *(f"{name}_{axis}" for name in names for axis in "xy")]
    if _FILE not in header:
        raise UserError(f"--annotations={path}: line 1 has no column 'file': {_COLUMNS}, separated by commas")
    if box and len(box) < len(_BOX):
        raise UserError(f"{where}: the box has only {', '.join(box)}: {_COLUMNS}")
    for name in header:
        if name not in known:
            raise UserError(f"{where}: unknown column {name!r}: {_COLUMNS}")
        if header.count(name) > 1:
            raise UserError(f"{where}: the column {name!r} appears twice")
    for name in known[len(_BOX) + 1 :]:
        if name not in header:
            raise UserError(f"{where}: a column {name!r} is missing: {_COLUMNS}")
    return tuple(names)


def _object(where: str, header: Sequence[str], names: Sequence[str], row: Sequence[str]) -> AnnotatedObject:
    if len(row) != len(header):
        raise UserError(f"{where}: {len(row)} values, but line 1 has {len(header)} columns")
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
    edges = _numbers(where, cells, _BOX)
    if edges and not (edges[0] < edges[2] and edges[1] < edges[3]):
        raise UserError(f"{where}: the box {edges} is empty: x0 < x1 and y0 < y1")
    landmarks = {}
    for name in names:
        if place := _numbers(where, cells, (f"{name}_x", f"{name}_y")):
            landmarks[name] = Landmark(x=place[0], y=place[1])
    if not cells[_FILE]:
        raise UserError(f"{where}: the file name is missing")
    box = Box(xmin=edges[0], ymin=edges[1], xmax=edges[2], ymax=edges[3]) if edges else None
    return AnnotatedObject(where=where, file=cells[_FILE], box=box, landmarks=landmarks)


def _numbers(where: str, cells: dict[str, str], columns: Sequence[str]) -> tuple[float, ...]:
    """Returns the numbers in some columns; none if all of them are empty."""
    texts = [cells.get(column, "") for column in columns]
    if not any(texts):
        return ()
    try:
        numbers = tuple(map(float, texts))
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        cells_text = ", ".join(f"{column}={text}" for column, text in zip(columns, texts, strict=True))
        raise UserError(f"{where}: {cells_text}: give numbers, or leave all of them empty")
    return numbers
