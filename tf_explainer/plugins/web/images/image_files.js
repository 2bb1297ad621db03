// Saves an explained image as a table or as a picture.

import { download } from "../shared/controls.js";

export function saveCsv(layer, { values, ordinary, baseline, gap, score }, n) {
  const lines = [...values].map(
    (value, f) => `filter ${f},${layer.values.group ? layer.values.group[f] + 1 : ""},${value}`,
  );
  const text = [
    "what,part group,contribution [nats of log-odds]",
    ...lines,
    `ordinary track,,${ordinary}`,
    `baseline,,${baseline}`,
    `gap,,${gap}`,
    `score,,${score}`,
  ]
    .join("\n")
    .concat("\n");
  download(`image-${n}.csv`, new Blob([text], { type: "text/csv" }));
}

/** Saves the large picture and the maps as shown on screen, with a title. */
export function savePng(title) {
  const canvases = [...document.querySelectorAll(".large canvas.picture")];
  const gap = 10;
  const sheet = document.createElement("canvas");
  sheet.width = canvases.reduce((sum, { width }) => sum + width + gap, gap);
  sheet.height = Math.max(...canvases.map(({ height }) => height)) + 40;
  const context = sheet.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.fillStyle = "#1b1f27";
  context.font = "15px system-ui, sans-serif";
  context.fillText(title, gap, 22);
  let x = gap;
  for (const canvas of canvases) {
    context.drawImage(canvas, x, 34);
    x += canvas.width + gap;
  }
  sheet.toBlob((blob) => download("image.png", blob), "image/png");
}
