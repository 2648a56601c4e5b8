// Poll: it asks every two seconds. The slowest door, and the last that anybody would block.

import { httpDoor } from "./http.js";

const EVERY = 2_000;
const ANSWER_WITHIN = 30_000;

export const poll = httpDoor({
  name: "poll",
  labels: { en: "Poll + POST", ko: "폴링 + POST" },
  async live(link, since) {
    link.through();
    let cursor = since;
    while (!link.signal.aborted) {
      await link.pause(EVERY);
      ({ next: cursor } = await link.within(ANSWER_WITHIN, link.page(cursor)));
    }
  },
});
