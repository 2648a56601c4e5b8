// An image on its way out: as it is when it is small enough, else scaled down until it is.

import { imageType, MESSAGE_LIMIT } from "./protocol.js";

// Over this we scale down, well under the limit.
const COMFORTABLE = 900 * 1024;
const TRIES = [
  { side: 2048, quality: 0.85 },
  { side: 1600, quality: 0.8 },
  { side: 1280, quality: 0.7 },
  { side: 960, quality: 0.6 },
  { side: 640, quality: 0.5 },
];

/** The bytes to send for a file: `{bytes}`, or `{problem}`, a word of the page. */
export async function imageBytes(file) {
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    return { problem: "imageUnreadable" };
  }
  const known = imageType(bytes) !== null;
  if (known && bytes.length <= COMFORTABLE) return { bytes };
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    // The browser cannot decode it; an image that fits may still please somebody else's.
    if (!known) return { problem: "imageUnreadable" };
    return bytes.length <= MESSAGE_LIMIT ? { bytes } : { problem: "imageTooBig" };
  }
  try {
    for (const { side, quality } of TRIES) {
      const smaller = await scaled(bitmap, side, quality);
      if (smaller !== null && smaller.length <= COMFORTABLE) return { bytes: smaller };
    }
  } finally {
    bitmap.close();
  }
  return { problem: "imageTooBig" };
}

async function scaled(bitmap, side, quality) {
  const factor = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * factor));
  canvas.height = Math.max(1, Math.round(bitmap.height * factor));
  const context = canvas.getContext("2d");
  if (context === null) return null;
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  // WebP keeps transparency; a browser that cannot write it writes PNG instead, which may be too big.
  const blob = await new Promise((done) => canvas.toBlob(done, "image/webp", quality));
  return blob === null ? null : new Uint8Array(await blob.arrayBuffer());
}
