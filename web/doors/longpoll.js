// Long poll: each request waits at the server until there is something, or for a while.

import { httpDoor } from "./http.js";

const WAIT = 25; // seconds
const AT_LEAST = 1_000;
const PAUSE = 2_000;
const ANSWER_WITHIN = (WAIT + 15) * 1000;

export const longpoll = httpDoor({
  name: "longpoll",
  labels: { en: "Long poll + POST", ko: "롱 폴링 + POST" },
  async live(link, since) {
    link.through();
    const { clock } = link.world;
    let cursor = since;
    while (!link.signal.aborted) {
      const asked = clock.now();
      const { next } = await link.within(ANSWER_WITHIN, link.page(cursor, WAIT));
      // Somebody between does not let us wait; asked on without a breath, the server would have no rest.
      if (next === cursor && clock.now() - asked < AT_LEAST) await link.pause(PAUSE);
      cursor = next;
    }
  },
});
