// Loads snapshots from the server of the Parts plugin, and caches them.

const BASE = new URL("../../../parts/", import.meta.url);
const MAPS_KEPT = 400;
// Cached pictures: a crop takes about 200 kB, a sheet of thumbnails 8 MB.
const KEPT = { crop: 256, sprite: 24 };

function address(route, args = {}, base = BASE) {
  const url = new URL(route, base);
  for (const [name, value] of Object.entries(args)) url.searchParams.set(name, value);
  return url;
}

export async function ask(route, args, base) {
  const response = await fetch(address(route, args, base));
  if (!response.ok) throw new Error((await response.text()).slice(0, 600) || `${response.status}`);
  return response;
}

export const runs = async () => (await ask("runs")).json();

function checkSize(what, buffer, size) {
  if (buffer.byteLength !== size)
    throw new Error(`the stored ${what} are damaged: ${buffer.byteLength} bytes instead of ${size}`);
}

/** Loads a small picture, which is decoded when it is drawn. */
const small = (route, args) =>
  new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("this picture is not stored, or damaged"));
    image.src = address(route, args).href;
  });

/** Loads and decodes a large picture in the background, without blocking the page. */
const large = async (route, args) => createImageBitmap(await (await ask(route, args)).blob());

/** One layer of a snapshot; everything but the maps is in memory. */
class Layer {
  constructor(snapshot, about, figures, peaks, tops) {
    const count = snapshot.images.count;
    Object.assign(this, { snapshot, ...about, units: about.grid.side ** 2 });
    const F = about.filters;
    checkSize("figures", figures, 4 * F * about.figures.length);
    checkSize("peaks", peaks, 4 * F + 3 * F * count);
    checkSize("tops", tops, F * this.units);
    this.scales = new Float32Array(peaks, 0, F);
    this.peaks = new Uint8Array(peaks, 4 * F, F * count);
    this.peakUnits = new Uint16Array(peaks.slice(4 * F + F * count));
    this.tops = new Uint8Array(tops);
    this.about = Object.fromEntries(about.figures.map((figure) => [figure.key, figure]));
    const columns = about.figures.length;
    const values = new Float32Array(figures);
    this.values = Object.fromEntries(
      about.figures.map((figure, m) => [
        figure.key,
        Float32Array.from({ length: F }, (_, f) => values[f * columns + m]),
      ]),
    );
    this.orders = new Map();
    this.mapsAsked = new Map();
  }

  /** Returns a filter's images, the highest peak first. */
  order(f) {
    if (!this.orders.has(f)) {
      const count = this.snapshot.images.count;
      const peaks = this.peaks.subarray(f * count, (f + 1) * count);
      this.orders.set(
        f,
        Array.from(peaks.keys()).sort((a, b) => peaks[b] - peaks[a] || a - b),
      );
    }
    return this.orders.get(f);
  }

  /** Returns the image with a filter's highest peak, without sorting all images. */
  top(f) {
    const count = this.snapshot.images.count;
    let best = 0;
    for (let n = 1; n < count; n++) if (this.peaks[f * count + n] > this.peaks[f * count + best]) best = n;
    return best;
  }

  topMap(f) {
    return this.tops.subarray(f * this.units, (f + 1) * this.units);
  }

  /** Returns a filter's peak on an image, in the network's unit of activation. */
  peak(f, n) {
    return (this.peaks[f * this.snapshot.images.count + n] * this.scales[f]) / 255;
  }

  peakUnit(f, n) {
    return this.peakUnits[f * this.snapshot.images.count + n];
  }

  /** Loads all maps of a filter, [N, L, L] bytes. */
  maps(f) {
    return this.#maps(`f${f}`, "maps", { filter: f });
  }

  /** Loads all maps of a part, [N, L, L] bytes. */
  partMaps(group) {
    return this.#maps(`g${group}`, "part_maps", { group });
  }

  #maps(key, route, args) {
    if (!this.mapsAsked.has(key)) {
      const { run, step } = this.snapshot;
      const asked = ask(route, { run, step, layer: this.name, ...args })
        .then((response) => response.arrayBuffer())
        .then((buffer) => {
          checkSize("maps", buffer, this.snapshot.images.count * this.units);
          return new Uint8Array(buffer);
        });
      asked.catch(() => this.mapsAsked.delete(key));
      this.mapsAsked.set(key, asked);
      if (this.mapsAsked.size > MAPS_KEPT) this.mapsAsked.delete(this.mapsAsked.keys().next().value);
    }
    return this.mapsAsked.get(key);
  }

  async map(f, n) {
    return (await this.maps(f)).subarray(n * this.units, (n + 1) * this.units);
  }

  /** Loads a part's map on an image, [L, L] bytes. */
  async partMap(group, n) {
    return (await this.partMaps(group)).subarray(n * this.units, (n + 1) * this.units);
  }

  /** Loads a part's peaks on all images, [N] bytes. */
  async partPeaks(group) {
    const maps = await this.partMaps(group);
    return Uint8Array.from({ length: this.snapshot.images.count }, (_, n) =>
      maps.subarray(n * this.units, (n + 1) * this.units).reduce((most, value) => Math.max(most, value), 0),
    );
  }
}

const kept = new Map();

/** Loads a snapshot, or returns the cached one until it is rewritten. written: when it was written, in seconds. */
export function snapshotOf(run, step, written) {
  const key = `${run}|${step}|${written}`;
  if (!kept.has(key)) {
    if (kept.size > 8) kept.delete(kept.keys().next().value);
    const asked = Snapshot.load(run, step, written);
    asked.catch(() => kept.delete(key));
    kept.set(key, asked);
  }
  return kept.get(key);
}

/** The snapshot of a run at a step. */
export class Snapshot {
  static async load(run, step, written) {
    const index = await (await ask("index", { run, step })).json();
    return new Snapshot(run, step, written, index);
  }

  constructor(run, step, written, index) {
    Object.assign(this, { run, step, written, index, images: index.images, notes: index.notes });
    this.key = [run, step, written].join();
    this.layersAsked = new Map();
    this.pictures = { crop: new Map(), sprite: new Map() };
  }

  get layerNames() {
    return this.index.layers.map((layer) => layer.name);
  }

  layer(name) {
    if (!this.layersAsked.has(name)) this.layersAsked.set(name, this.#load(name));
    return this.layersAsked.get(name);
  }

  async #load(name) {
    const about = this.index.layers.find((layer) => layer.name === name);
    if (!about) throw new Error(`this snapshot has no layer ${name}, only ${this.layerNames.join(", ")}`);
    const args = { run: this.run, step: this.step, layer: name };
    const parts = await Promise.all(
      ["figures", "peaks", "tops"].map(async (route) => (await ask(route, args)).arrayBuffer()),
    );
    return new Layer(this, about, ...parts);
  }

  #picture(route, number, args, load) {
    const asked = this.pictures[route];
    let picture = asked.get(number);
    if (!picture) {
      const { run, written } = this;
      // `written` is in the address, so that the browser does not reuse the picture of an older snapshot.
      picture = load(route, { run, step: this.index.pictures_step, written, ...args });
      picture.catch(() => asked.delete(number));
    }
    // Reinserts the picture, so that the least recently used one is dropped.
    asked.delete(number);
    asked.set(number, picture);
    if (asked.size > KEPT[route]) asked.delete(asked.keys().next().value);
    return picture;
  }

  /** Loads a crop as {image, x, y, side}: the square of a picture to draw. */
  async crop(n) {
    const image = await this.#picture("crop", n, { image: n }, small);
    return { image, x: 0, y: 0, side: image.width };
  }

  /** Loads a thumbnail as {image, x, y, side}, from a sheet. */
  async thumbnail(n) {
    const [side, columns, rows] = this.index.thumbnail;
    const sheet = Math.floor(n / (columns * rows));
    const image = await this.#picture("sprite", sheet, { sheet }, large);
    const at = n % (columns * rows);
    return { image, x: (at % columns) * side, y: Math.floor(at / columns) * side, side };
  }

  /** Whether the snapshot is of an explainer and its performer, or else of any other model, which has one track. */
  get hasExplainer() {
    return Object.hasOwn(this.notes, "explainer");
  }

  className(label) {
    return this.images.classes[label] ?? "unknown";
  }

  landmark(n, k) {
    const count = this.images.landmark_names.length;
    const [y, x] = this.images.landmarks.slice(2 * (n * count + k), 2 * (n * count + k) + 2);
    return y === null || x === null ? null : [y, x];
  }
}
