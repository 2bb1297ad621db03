"""Tags in the event files: what the Explained images plugin writes with a snapshot of the Parts plugin.

Images (N), filters (F) and maps are those of the snapshot of the same run and step.

| tag | data class | content |
| --- | --- | --- |
| `part_images/index` | tensor, string scalar | JSON, see `images.summary.ImageScores.index` |
| `part_images/contributions` | tensor, `[N, K * F]` float32 | of each filter to K classes of each image |
| `part_images/lost` | tensor, `[N, K * (P + 1)]` float32 | drop of K scores per image without each part |
| `part_images/tracks` | blobs, 2 K | GZIP: `[N, L, L]` int8, contributions by place, tracks class by class |

Drops are of P parts, in the order of the snapshot's groups, then of the ordinary track. `removed` in the
index is P + 1; if it is missing or 0, there are none. The contribution of a place is `int8 * scale / 127`;
the index has a scale for every image and class. The first of an image's classes is the one that the performer
names.
"""

from __future__ import annotations

PLUGIN_NAME = "part_images"
FORMAT_VERSION = 2

INDEX = "part_images/index"
CONTRIBUTIONS = "part_images/contributions"
LOST = "part_images/lost"
TRACKS = "part_images/tracks"
