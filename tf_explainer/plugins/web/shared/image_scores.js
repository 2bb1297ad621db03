// Contributions to the scores of images, from the server of the Explained images plugin.

import { ask as request } from "./snapshots.js";

const BASE = new URL("../../../part_images/", import.meta.url);

const ask = (route, args) => request(route, args, BASE);

export const runs = async () => (await ask("runs")).json();

export class ImageScores {
  static async load(run, step, written) {
    const key = [run, step, written].join();
    return new ImageScores(run, step, { ...(await (await ask("index", { run, step })).json()), key });
  }

  constructor(run, step, index, rank = 0, asked = new Map()) {
    Object.assign(this, { ...index, run, step, rank, asked });
    this.ranks = rank
      ? []
      : [
          this,
          ...(index.others ?? []).map((other, k) => new ImageScores(run, step, { ...index, ...other }, k + 1, asked)),
        ];
  }

  /** Returns the scores of a class of an image ("": the class that the performer names); undefined if not stored. */
  of(n, wanted) {
    return wanted === "" ? this : this.ranks.find(({ classes }) => classes[n] === Number(wanted));
  }

  /** Returns whether an image is misclassified; false if its true class is not known. */
  isWrong({ labels, classes }, n) {
    const named = this.names[this.classes[n]];
    return classes[labels[n]] !== undefined && classes.includes(named) && classes[labels[n]] !== named;
  }

  #once(key, get) {
    if (!this.asked.has(key)) {
      const asked = get();
      asked.catch(() => this.asked.delete(key));
      this.asked.set(key, asked);
    }
    return this.asked.get(key);
  }

  /** Returns each filter's contribution to an image's score, in nats of log-odds. */
  async contributions(n, filters) {
    const { run, step, rank } = this;
    const all = await this.#once(
      `c${n}`,
      async () => new Float32Array(await (await ask("contributions", { run, step, image: n })).arrayBuffer()),
    );
    return all.subarray(rank * filters, (rank + 1) * filters);
  }

  /** Returns how much an image's score drops without each part, and without the ordinary track; null: not measured. */
  async lost(n) {
    const { run, step, rank, removed } = this;
    if (!removed) return null;
    const all = await this.#once(
      `l${n}`,
      async () => new Float32Array(await (await ask("lost", { run, step, image: n })).arrayBuffer()),
    );
    return all.subarray(rank * removed, (rank + 1) * removed);
  }

  /** Returns each filter's mean contribution to each named class, in rising order of classes. */
  async means() {
    const { run, step } = this;
    return this.#once("means", async () => new Float32Array(await (await ask("means", { run, step })).arrayBuffer()));
  }

  /** Returns a track's contributions by place on an image, in nats of log-odds. */
  async track(track, n, units) {
    const { run, step } = this;
    const stored = 2 * this.rank + track;
    const all = await this.#once(
      `t${stored}`,
      async () => new Int8Array(await (await ask("tracks", { run, step, track: stored })).arrayBuffer()),
    );
    return Float32Array.from(all.subarray(n * units, (n + 1) * units), (value) => (value * this.scales[n]) / 127);
  }
}
