// Streaming fetch: one response that does not end, a JSON message a line.

import { parseText } from "../protocol.js";
import { ABNORMAL, Ended, httpDoor, readText, refusal } from "./http.js";

// The server sends an empty line every 15 seconds.
const SILENCE = 45_000;
const LINE_LIMIT = 16 * 1024 * 1024;

export const stream = httpDoor({
  name: "stream",
  labels: { en: "Streaming fetch + POST", ko: "스트리밍 fetch + POST" },
  async live(link, since) {
    const accept = { headers: { Accept: "application/x-ndjson" } };
    const response = await link.fetch(link.url("stream", { since }), accept);
    link.through();
    const lines = new Lines((line) => {
      if (line.trim() === "") return;
      const frame = parseText(line);
      if (frame.kind === "refused") throw refusal(line);
      link.heard(frame);
    });
    await noSilence(link, (alive) =>
      readText(response, (piece) => {
        alive();
        lines.take(piece);
      }),
    );
  },
});

/** Runs `read`, which must call what it is given now and then. */
async function noSilence(link, read) {
  const { clock } = link.world;
  let timer = null;
  const rest = () => clock.clearTimeout(timer);
  link.signal.addEventListener("abort", rest);
  const silent = new Promise((_, reject) => {
    const alive = () => {
      clock.clearTimeout(timer);
      timer = clock.setTimeout(() => reject(new Ended(ABNORMAL, "")), SILENCE);
    };
    alive();
    read(alive).then(() => reject(new Ended(ABNORMAL, "")), reject);
  });
  try {
    await silent;
  } finally {
    rest();
  }
}

/** Puts lines together from pieces, however they are cut. */
class Lines {
  #each;
  #parts = [];
  #held = 0;

  constructor(each) {
    this.#each = each;
  }

  take(piece) {
    const lines = piece.split("\n");
    const rest = lines.pop();
    for (const line of lines) {
      this.#each([...this.#parts, line].join(""));
      this.#parts = [];
      this.#held = 0;
    }
    this.#parts.push(rest);
    this.#held += rest.length;
    if (this.#held > LINE_LIMIT) throw new Ended(ABNORMAL, "a line is too long");
  }
}
