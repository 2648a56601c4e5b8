// Long poll: each request waits at the server until there is something, or for a while.

import { httpDoor } from "./http.js";

const WAIT = 25; // seconds
const ANSWER_WITHIN = (WAIT + 15) * 1000;

export const longpoll = httpDoor({
  name: "longpoll",
  labels: { en: "Long poll + POST", ko: "롱 폴링 + POST" },
  async live(link, since) {
    link.through();
    let cursor = since;
    while (!link.signal.aborted) {
      ({ next: cursor } = await link.within(ANSWER_WITHIN, link.page(cursor, WAIT)));
    }
  },
});
