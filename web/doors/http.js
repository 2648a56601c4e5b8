// What the doors over HTTP have in common: they write by POST, and what was said before they opened they
// read from `/messages`, because there it is known where it ends. Each adds only how it hears what is new;
// one may also write by other means.

import { readPage, topicUrl } from "../protocol.js";

// An answer with fewer messages, and not a large one, has them all: large ones the server ends early.
const PAGE = 100;
const LARGE = 1024 * 1024;
const POST_WITHIN = 60_000;
const REASON_LENGTH = 200;
const NO_ANSWER = "the answer is not Madang's";
/** The status of what is larger than the server takes. */
export const TOO_LARGE = 413;
// Statuses that blame what we sent: malformed, too big, of a kind that is not taken.
const REFUSALS = new Set([400, TOO_LARGE, 415, 422]);

/** The code that a browser gives when a connection ended without a goodbye (RFC 6455 §7.1.5). */
export const ABNORMAL = 1006;
const TRY_LATER = 1013;

/**
 * A door over HTTP. `live(link, cursor)` reads what comes after `cursor`: it says `link.through()` once the
 * door is open, then gives what it hears to `link.heard`; it comes back or throws when the door has closed.
 */
export function httpDoor({ name, labels, live }) {
  return {
    name,
    labels,
    presence: false,
    open(room, since, events, world) {
      const link = new Link(room, events, world);
      link.run(since, live);
      return link;
    },
  };
}

/** Why a door closed, as an exception; see `closed` in `doors.js`. */
export class Ended extends Error {
  constructor(code, reason, how = {}) {
    super(reason);
    Object.assign(this, { code, how });
  }
}

/** Gives the text of a response's body to `each`, piece by piece. */
export async function readText(response, each) {
  const reader = response.body.pipeThrough(new TextDecoderStream("utf-8")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    each(value);
  }
}

/** A stream that was open and then not let in says why, in JSON, before it ends: "try again later". */
export function refusal(text) {
  return refused(parse(text)?.reason);
}

/** Not let in now, for this reason. */
export function refused(reason) {
  return new Ended(TRY_LATER, typeof reason === "string" ? reason.slice(0, REASON_LENGTH) : "");
}

/** The value of a JSON text; null where it is none. */
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

class Link {
  #room;
  #events;
  #stop = new AbortController();
  #busy = false;
  #reached = false; // the server has answered once
  #publish = (entry) => this.#post(entry);

  constructor(room, events, world) {
    this.#room = room;
    this.#events = events;
    this.world = world;
  }

  /** Reads what was said before, then `live`, until one of them ends. */
  async run(since, live) {
    try {
      const cursor = await this.past(since);
      await live(this, cursor);
      this.#end(new Ended(ABNORMAL, ""));
    } catch (error) {
      this.#end(error);
    }
  }

  send(entry) {
    if (this.#busy || this.#stop.signal.aborted) return false;
    this.#busy = true;
    this.#deliver(entry).catch((error) => this.#end(error));
    return true;
  }

  close(gently = false) {
    this.#stop.abort();
    // There is nobody to say goodbye to.
    if (gently) this.#events.closed({ code: 1000, reason: "" });
  }

  // ---- for `live` ----

  /** Aborts when the link closes. */
  get signal() {
    return this.#stop.signal;
  }

  /** The door is open, and up to date. */
  through() {
    if (this.signal.aborted) return;
    this.#events.opened();
    this.#events.ready();
  }

  /** Entries are to be published by this from now on; it gives the message's id. */
  by(publish) {
    this.#publish = publish;
  }

  /** Everything after `cursor` that is there now; where that ends. */
  async past(cursor) {
    for (;;) {
      const { next, whole } = await this.page(cursor);
      if (whole) return next;
      cursor = next;
    }
  }

  /** Where we are. */
  get room() {
    return this.#room;
  }

  /** Something came. */
  heard(frame) {
    if (!this.signal.aborted) this.#events.heard(frame);
  }

  /** Where to read from; who names himself is present while he does. */
  url(what, query) {
    const { base, name, session } = this.world;
    return topicUrl(base, this.#room, what, { ...query, name, session });
  }

  /** A request whose answer has a good status; others throw. */
  async fetch(url, options = {}) {
    let response;
    try {
      response = await this.world.fetch(url, { cache: "no-store", signal: this.signal, ...options });
    } catch {
      throw new Ended(ABNORMAL, "", { unreachable: !this.#reached });
    }
    this.#reached = true;
    if (response.ok) return response;
    const reason = (await response.text().catch(() => "")).trim();
    throw new Ended(response.status, reason.slice(0, REASON_LENGTH));
  }

  /** What came after `cursor`, waiting up to `wait` seconds for it; `{next, whole}`. */
  async page(cursor, wait = 0) {
    const query = { since: cursor, limit: PAGE, ...(wait > 0 ? { wait } : {}) };
    const response = await this.fetch(this.url("messages", query), { headers: { Accept: "application/json" } });
    let text = "";
    await readText(response, (piece) => {
      text += piece;
      this.#events.alive();
    });
    const page = readPage(parse(text));
    if (page === null) throw new Ended(ABNORMAL, NO_ANSWER);
    if (page.gap) this.heard({ kind: "gap", id: null });
    for (const frame of page.frames) this.heard(frame);
    if (!this.signal.aborted) this.#events.at(page.next);
    return { next: page.next, whole: page.frames.length < PAGE && text.length < LARGE };
  }

  /** Waits; forever when the link closes meanwhile. */
  pause(ms) {
    const { clock } = this.world;
    return new Promise((resolve) => {
      const stop = () => clock.clearTimeout(timer);
      const timer = clock.setTimeout(() => {
        this.signal.removeEventListener("abort", stop);
        resolve();
      }, ms);
      this.signal.addEventListener("abort", stop);
    });
  }

  /** Throws, as a cut link, what does not come about within `ms`. */
  async within(ms, promise) {
    const { clock } = this.world;
    let timer;
    const late = new Promise((_, reject) => {
      timer = clock.setTimeout(() => reject(new Ended(ABNORMAL, "")), ms);
    });
    const stop = () => clock.clearTimeout(timer);
    this.signal.addEventListener("abort", stop);
    try {
      return await Promise.race([promise, late]);
    } finally {
      stop();
      this.signal.removeEventListener("abort", stop);
    }
  }

  // ---- ours ----

  async #deliver(entry) {
    try {
      const id = await this.within(POST_WITHIN, this.#publish(entry));
      if (this.signal.aborted) return;
      this.#events.left(entry, id);
    } catch (error) {
      if (!REFUSALS.has(error.code)) throw silence(error);
      if (this.signal.aborted) return;
      this.#events.refused(entry);
    }
    this.#busy = false;
    this.#events.free();
  }

  async #post(entry) {
    const headers = {
      Accept: "application/json",
      "Content-Type": entry.bytes === null ? "text/plain; charset=utf-8" : "application/octet-stream",
      // A try whose answer was lost is not published again by the next one.
      "Idempotency-Key": `${this.world.visit}-${entry.key}`,
      // Words begin with the name; a picture cannot.
      ...(entry.bytes === null ? {} : { "X-Message-Nick": encodeURIComponent(this.world.name) }),
    };
    const response = await this.fetch(topicUrl(this.world.base, this.#room), { method: "POST", headers, body: entry.payload });
    const id = parse(await response.text())?.id;
    if (typeof id !== "string") throw new Ended(ABNORMAL, NO_ANSWER);
    return id;
  }

  #end(error) {
    if (this.signal.aborted) return;
    this.#stop.abort();
    const code = error instanceof Ended ? error.code : ABNORMAL;
    const reason = error instanceof Ended ? error.message : "";
    this.#events.closed({ code, reason, ...error.how });
  }
}

// What was posted does not come back.
function silence(error) {
  const known = error instanceof Ended;
  return new Ended(known ? error.code : ABNORMAL, known ? error.message : "", { silent: true });
}
