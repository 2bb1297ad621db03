"""Tags in the event files: the content of a snapshot, and how it is coded.

A snapshot of a run at a step consists of several summaries, each with its own tag:

| tag | data class | content |
| --- | --- | --- |
| `parts/index` | tensor, string scalar | JSON, see `parts.snapshot.Snapshot.index` |
| `parts/figures/LAYER` | tensor, `[F, M]` float32 | the figures of the index, NaN where undefined |
| `parts/keys/LAYER` | tensor, `[M]` string | keys of the figures |
| `parts/peaks/LAYER` | blobs, 1 | GZIP: scales `[F]` float32, peaks `[F, N]` uint8, units uint16 |
| `parts/tops/LAYER` | blobs, 1 | GZIP: `[F, L, L]` uint8, each filter's map of its strongest image |
| `parts/maps/LAYER` | blobs, F | GZIP each: `[N, L, L]` uint8, one filter's maps of all images |
| `parts/part_maps/LAYER` | blobs, P | optional, GZIP each: `[N, L, L]` uint8, maps of a part (see `group`) |
| `parts/crops` | blobs, N | JPEG, the images as the network sees them |
| `parts/sprites` | blobs | JPEG sheets of thumbnails, row by row |

All numbers are little-endian. An activation is `uint8 * scale / 255`, where the scale is the highest
activation of the filter on these images; the error is at most 1/510 of the scale. A part's map is in 1/255 of
its highest value; for groups without one, the average of their filters' maps is shown. A unit is
`row * L + column`. Crops and sprites are written once for several steps, at the step that the index names
(`pictures_step`).
"""

from __future__ import annotations

PLUGIN_NAME = "parts"
FORMAT_VERSION = 1

INDEX = "parts/index"
CROPS = "parts/crops"
SPRITES = "parts/sprites"
FIGURES, KEYS, PEAKS, TOPS, MAPS = "figures", "keys", "peaks", "tops", "maps"
PART_MAPS = "part_maps"

THUMBNAIL = 112
"""Side of a thumbnail, in pixels."""
SPRITE_COLUMNS = 16
SPRITE_ROWS = 10


def layer_tag(kind: str, layer: str) -> str:
    """Returns the tag of a layer's figures, peaks, tops, maps or part maps."""
    return f"parts/{kind}/{layer}"
