// What we said and have not heard back yet. The server sends a publisher its own messages, so the
// echo is the receipt; until it comes, an entry stays here and knows how sure we are of it:
//
//   queued ──handed to a door──▶ sent ──echo──▶ gone
//      ▲                             │ the link is cut
//      │ replay whole, echo absent   ▼
//      └───────────────────────── uncertain ──echo in the replay──▶ gone
//                                    │ replay has a gap, or the server refused it
//                                    ▼
//                                 unsure: only the person can decide to send it again

import { encodeText } from "./protocol.js";

const COUNT_LIMIT = 200;
const BYTE_LIMIT = 16 * 1024 * 1024;
const ATTEMPTS = 3;
// Codes that blame what we sent: unsupported data, not UTF-8, too big.
const REFUSALS = new Set([1003, 1007, 1009]);

// `id` is the message's, once the server has told it; `left`: the echo may come from now on.
const FRESH = { state: "queued", name: null, attempts: 0, refused: false, left: false, id: null };

export class Outbox {
  #entries = [];
  #nextKey = 1;

  /** Takes words to send; false when too much waits already. */
  addText(name, text) {
    const payload = encodeText(name, text);
    return this.#add({ text, bytes: null, payload }, payload.length);
  }

  /** Takes an image's bytes to send; false when too much waits already. */
  addImage(bytes) {
    return this.#add({ text: null, bytes, payload: bytes }, bytes.length);
  }

  #add(what, size) {
    const held = this.#entries.reduce((sum, entry) => sum + entry.size, 0);
    if (this.#entries.length >= COUNT_LIMIT || held + size > BYTE_LIMIT) return false;
    const key = this.#nextKey++;
    this.#entries.push({ key, ...what, size, ...FRESH });
    return true;
  }

  /** The oldest entry that is ours to send now. */
  next() {
    return this.#entries.find((entry) => entry.state === "queued") ?? null;
  }

  /** The entry was handed to a door, and is published as `name`. */
  sent(entry, name) {
    entry.state = "sent";
    entry.name = name;
    entry.attempts += 1;
  }

  /** The entry is on the wire, or even published, under `id`: its echo is due. */
  left(entry, id) {
    entry.left = true;
    entry.id = id;
  }

  /** The entry's echo has come before it was known to be one. */
  done(entry) {
    this.#entries = this.#entries.filter((other) => other !== entry);
  }

  /** The server does not take this message; the person decides what becomes of it. */
  refuse(entry) {
    if (entry.state === "sent") entry.state = "unsure";
  }

  /** The link is gone: whether its last entries arrived, nobody here knows. */
  cut(code) {
    for (const entry of this.#entries) {
      if (entry.state !== "sent") continue;
      entry.state = "uncertain";
      entry.left = false;
      entry.refused = REFUSALS.has(code);
    }
  }

  /** A message came in: was it ours? The oldest entry that it may be the echo of is done. */
  echo(message) {
    const at = this.#entries.findIndex(
      (entry) =>
        entry.state !== "queued" &&
        (entry.id === null ? looksLike(entry, message) : entry.id === message.id),
    );
    if (at < 0) return false;
    this.#entries.splice(at, 1);
    return true;
  }

  /** The replay after a cut is over: what is not in it was not published, unless the replay had a gap. */
  settle(gapped) {
    // What has an id was published, whether we heard it or not.
    this.#entries = this.#entries.filter((entry) => entry.state !== "uncertain" || entry.id === null);
    for (const entry of this.#entries) {
      if (entry.state !== "uncertain") continue;
      const hopeless = gapped || entry.refused || entry.attempts >= ATTEMPTS;
      entry.state = hopeless ? "unsure" : "queued";
    }
  }

  /** Another connection takes over, under this name: what waits is said by it, what was sent is unsure. */
  carry(name) {
    this.#entries = this.#entries.filter((entry) => entry.id === null);
    for (const entry of this.#entries) {
      if (entry.state !== "queued") entry.state = "unsure";
      else if (entry.text !== null) entry.payload = encodeText(name, entry.text);
    }
  }

  /** The person wants an unsure entry sent again; it goes to the end of the line. */
  again(key) {
    const at = this.#entries.findIndex((entry) => entry.key === key && entry.state === "unsure");
    if (at < 0) return;
    const [entry] = this.#entries.splice(at, 1);
    // A new key: by the old one the server would take it for the same try.
    this.#entries.push(Object.assign(entry, FRESH, { key: this.#nextKey++ }));
  }

  /** The person gives up an entry that is not on its way. */
  discard(key) {
    this.#entries = this.#entries.filter(
      (entry) => entry.key !== key || entry.state === "sent" || entry.state === "uncertain",
    );
  }

  /** Whether an echo is awaited. */
  get awaiting() {
    return this.#entries.some((entry) => entry.state === "sent" && entry.left);
  }

  /** Everything that has not been heard back, oldest first. */
  get entries() {
    return this.#entries;
  }
}

function looksLike(entry, message) {
  const sender = message.user ?? message.nick ?? null;
  if (sender !== null && sender !== entry.name) return false;
  return entry.bytes === null ? message.data === entry.payload : sameBytes(message.bytes, entry.bytes);
}

function sameBytes(a, b) {
  return a !== null && a.length === b.length && a.every((byte, at) => byte === b[at]);
}
