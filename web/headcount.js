// How many are here, for the doors that do not tell: asked for now and then.

import { topicUrl } from "./protocol.js";

const EVERY = 15_000;
// By then we are counted, too.
const FIRST = 500;

export class Headcount {
  #url;
  #world;
  #tell;
  #round = null; // aborts what goes on; null when nothing does
  #timer = null;
  #count = null;

  /** `tell(count)` hears each answer, and at a start the last one; null when there was none. */
  constructor(room, world, tell) {
    this.#url = topicUrl(world.base, room, "presence");
    this.#world = world;
    this.#tell = tell;
  }

  /** Asks soon, and every 15 seconds. */
  start() {
    if (this.#round !== null) return;
    this.#round = new AbortController();
    this.#tell(this.#count);
    const { signal } = this.#round;
    this.#timer = this.#world.clock.setTimeout(() => this.#go(signal), FIRST);
  }

  stop() {
    this.#round?.abort();
    this.#world.clock.clearTimeout(this.#timer);
    this.#round = null;
  }

  async #go(signal) {
    const { fetch, clock } = this.#world;
    // The next round comes at its time, whatever becomes of this one.
    this.#timer = clock.setTimeout(() => this.#go(signal), EVERY);
    try {
      const options = { cache: "no-store", signal, headers: { Accept: "application/json" } };
      const response = await fetch(this.#url, options);
      const count = response.ok ? (await response.json())?.count : null;
      if (!Number.isSafeInteger(count) || count < 0 || signal.aborted) return;
      this.#count = count;
      this.#tell(count);
    } catch {
      // The number of before stays.
    }
  }
}
