// Maps of each track's contributions on an image, on one scale.

import { signedGradient } from "../shared/colour_maps.js";
import { signed } from "../shared/figures.js";
import { useLoad } from "../shared/loading.js";
import { LOOK } from "../shared/look.js";
import { Picture } from "../shared/picture.js";
import { html, useState } from "../vendor/preact-htm.js";

const SIDE = 216;

/** Returns both tracks' contributions by place, minus those to the other class, and the largest of them. */
async function tracksOf(layer, scores, rather, n) {
  const tracks = await Promise.all(
    [0, 1].map(async (track) => {
      const [one, other] = await Promise.all([scores, rather].map((of) => of?.track(track, n, layer.units)));
      return one.map((value, unit) => value - (other?.[unit] ?? 0));
    }),
  );
  const full = Math.max(...tracks.map((track) => track.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
  return { tracks, full: full || 1 };
}

/** titles, totals: one per track; totals: what each track contributes. */
export function TrackMaps({ snapshot, layer, scores, rather, n, titles, totals }) {
  const [full, setFull] = useState(null);
  const what = [scores.key, scores.rank, rather?.rank, n].join();
  useLoad(
    () => tracksOf(layer, scores, rather, n),
    [what],
    (found) => setFull(found.full),
  );
  const ask = (track) => async () => {
    const found = await tracksOf(layer, scores, rather, n);
    return {
      picture: await snapshot.crop(n),
      layers: [{ signed: found.tracks[track], grid: layer.grid, full: found.full }],
    };
  };
  return html`<div class="tracks">${titles.map(
    (title, track) => html`<figure class="track"><${Picture} side=${SIDE} look=${LOOK} label=${title}
        what=${`${what},${track}`} ask=${ask(track)}/>
      <figcaption><b>${title}</b> <span>${signed(totals[track])}</span></figcaption></figure>`,
  )}</div>
  ${
    full !== null &&
    html`<p class="legend wide"><span>against ${signed(-full)}</span><i style=${`background:${signedGradient()}`}></i>
      <span>for ${signed(full)} nats a place${titles.length > 1 ? ", one scale" : ""}</span></p>`
  }`;
}
