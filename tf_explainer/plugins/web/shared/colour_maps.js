// Colour maps that are readable with any colour vision, as 256 RGB triples.

const STOPS = {
  viridis: ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"],
  cividis: ["00224e", "123570", "3b496c", "575d6d", "707173", "8a8678", "a59c74", "c3b369", "e1cc55", "fee838"],
  grey: ["000000", "ffffff"],
};
// Blue speaks against a class, orange for it; stronger contributions are more opaque.
const AGAINST = [31, 111, 191];
const FOR = [235, 110, 0];

/** Returns the colour and opacity of a signed share, -1 to 1. */
export const signedColour = (share) => [share < 0 ? AGAINST : FOR, 0.9 * Math.sqrt(Math.min(Math.abs(share), 1))];

const rgb = (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));

function table(stops) {
  const colours = stops.map(rgb);
  const values = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (colours.length - 1);
    const low = Math.min(Math.floor(at), colours.length - 2);
    for (let c = 0; c < 3; c++) {
      values[3 * i + c] = Math.round(colours[low][c] + (at - low) * (colours[low + 1][c] - colours[low][c]));
    }
  }
  return values;
}

export const COLOUR_MAPS = Object.fromEntries(Object.entries(STOPS).map(([name, stops]) => [name, table(stops)]));

/** Returns a CSS gradient of a colour map, left to right. */
export function gradient(map) {
  const stops = Array.from({ length: 17 }, (_, n) => {
    const i = 3 * Math.round((n / 16) * 255);
    return `rgb(${map[i]},${map[i + 1]},${map[i + 2]})`;
  });
  return `linear-gradient(to right, ${stops.join(",")})`;
}

/** Returns a CSS gradient of signed shares, from -1 to 1, on grey. */
export function signedGradient() {
  const stops = Array.from({ length: 21 }, (_, n) => {
    const [[r, g, b], alpha] = signedColour(n / 10 - 1);
    return `rgb(${r} ${g} ${b} / ${alpha})`;
  });
  return `linear-gradient(to right, ${stops.join(",")}), linear-gradient(#8a8a8a, #8a8a8a)`;
}
