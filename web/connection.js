// One room's connection, kept alive: connect, resume after the last id seen, send at the pace of the
// link, and when the link is lost, back off and come again. No DOM; the socket and the clock are given.
//
// On each socket the server sends, in this order: a gap event if history was lost, the messages after
// our cursor, our own join event; then what happens. We send nothing before our own join, because only
// then is it known which of our earlier messages arrived.

import { parseBinary, parseText } from "./protocol.js";

const FIRST_DELAY = 500;
const LAST_DELAY = 30_000;
const STEADY_AFTER = 10_000;
const OPEN_WITHIN = 15_000;
const CLOSE_WITHIN = 5_000;
const SILENCE = 15_000;
const PACE = 50;
const HIGH_WATER = 256 * 1024;
const SEEN_LIMIT = 4096;
const OPEN = 1;

/** The code that a browser gives when a connection ended without a close frame (RFC 6455 §7.1.5). */
const ABNORMAL = 1006;

export class Connection {
  #url;
  #name;
  #outbox;
  #WebSocket;
  #clock;
  #random;
  #tell;

  #socket = null;
  #state = { name: "closed", code: null, reason: "", retryAt: null };
  #wanted = false;
  #entered = false; // our own join has come at least once
  #ready = false; // and on this socket
  #gapped = false;
  #cursor = null;
  #seen = new Set();
  #failures = 0;
  #life = 0;
  #lastBuffered = 0;
  #timers = new Map();

  /**
   * `url(cursor)` gives the address to connect to; `name` is who we are there; `tell` hears
   * `state(state)`, `message(message, {mine, replay})`, `presence(event, {own, again})`, `gap()` and `outbox()`.
   */
  constructor({ url, name, outbox, tell, WebSocket, clock, random }) {
    this.#url = url;
    this.#name = name;
    this.#outbox = outbox;
    this.#tell = tell;
    this.#WebSocket = WebSocket;
    this.#clock = clock;
    this.#random = random;
  }

  /** `{name, code, reason, retryAt}`; the name is connecting, open, closing or closed. */
  get state() {
    return this.#state;
  }

  /** Connects now: at first, after `stop`, or instead of waiting for the next try. */
  start() {
    this.#wanted = true;
    if (this.#socket === null) this.#connect();
  }

  /** Says goodbye and stays away until `start`. */
  stop() {
    this.#wanted = false;
    this.#cancel("retry");
    if (this.#socket === null) {
      this.#enter({ ...this.#state, name: "closed", retryAt: null });
      return;
    }
    this.#enter({ name: "closing", code: null, reason: "", retryAt: null });
    this.#socket.close(1000);
    this.#after("deadline", CLOSE_WITHIN, () => this.#abandon());
  }

  /** Ends for good, at once and without a word to `tell`. */
  dispose() {
    this.#wanted = false;
    for (const what of [...this.#timers.keys()]) this.#cancel(what);
    this.#detach()?.close(1000);
  }

  /** Sends what waits in the outbox, as much as the link takes now, the rest a little later. */
  pump() {
    const socket = this.#socket;
    this.#cancel("pace");
    // A socket that is closing swallows what it is given; what waits is safer here.
    if (socket === null || !this.#ready || !this.#wanted || socket.readyState !== OPEN) return;
    let entry;
    while ((entry = this.#outbox.next()) !== null) {
      if (socket.bufferedAmount > HIGH_WATER) {
        this.#after("pace", PACE, () => this.pump());
        break;
      }
      socket.send(entry.payload);
      this.#outbox.sent(entry, this.#name);
      this.#watch();
    }
    this.#tell.outbox();
  }

  #connect() {
    this.#cancel("retry");
    const socket = new this.#WebSocket(this.#url(this.#cursor ?? "earliest"));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    this.#socket = socket;
    this.#ready = false;
    this.#enter({ name: "connecting", code: null, reason: "", retryAt: null });
    this.#after("deadline", OPEN_WITHIN, () => this.#abandon());
  }

  #opened() {
    if (!this.#wanted) return;
    this.#cancel("deadline");
    this.#after("steady", STEADY_AFTER, () => {
      this.#failures = 0;
    });
    this.#enter({ name: "open", code: null, reason: "", retryAt: null });
  }

  #receive(data) {
    this.#life = this.#clock.now();
    const frame = typeof data === "string" ? parseText(data) : parseBinary(data);
    if (frame.kind === "message") this.#message(frame);
    else if (frame.kind === "presence") this.#presence(frame);
    else if (frame.kind === "gap") this.#gap();
  }

  #message(message) {
    if (message.id !== null) {
      if (this.#seen.has(message.id)) return;
      this.#remember(message.id);
      this.#cursor = message.id;
    }
    // Before our first join nothing here was sent by us; an equal message is an older one.
    const mine = this.#entered && this.#outbox.echo(message);
    this.#tell.message(message, { mine, replay: !this.#ready });
    if (mine) this.#tell.outbox();
  }

  #presence(event) {
    const own =
      !this.#ready && event.event === "join" && (event.users !== null || event.user === this.#name);
    this.#tell.presence(event, { own, again: own && this.#entered });
    if (!own) return;
    if (event.id !== null) this.#cursor = event.id;
    this.#outbox.settle(this.#gapped);
    this.#gapped = false;
    this.#entered = true;
    this.#ready = true;
    this.pump();
  }

  #gap() {
    // The first entry has nothing to miss. A gap counts until the join that ends its replay,
    // even over further cuts; it is told once.
    if (!this.#entered || this.#gapped) return;
    this.#gapped = !this.#ready;
    this.#tell.gap();
  }

  #closed(code, reason) {
    this.#detach();
    for (const what of ["deadline", "steady", "pace", "watch"]) this.#cancel(what);
    this.#outbox.cut(code);
    this.#tell.outbox();
    if (!this.#wanted) {
      this.#enter({ name: "closed", code, reason, retryAt: null });
      return;
    }
    // Half of the delay is certain, half is chance: a thousand pages do not come back in one moment.
    const delay = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** this.#failures);
    const wait = delay / 2 + (delay / 2) * this.#random();
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#after("retry", wait, () => this.#connect());
    this.#enter({ name: "closed", code, reason, retryAt: this.#clock.now() + wait });
  }

  // While an echo is awaited, a link that neither takes nor gives a byte for long is taken for dead:
  // a browser would notice only after minutes.
  #watch() {
    if (this.#timers.has("watch")) return;
    this.#life = this.#clock.now();
    this.#lastBuffered = this.#socket.bufferedAmount;
    const look = () => {
      if (!this.#outbox.awaiting) return;
      const buffered = this.#socket.bufferedAmount;
      if (buffered < this.#lastBuffered) this.#life = this.#clock.now();
      this.#lastBuffered = buffered;
      const left = this.#life + SILENCE - this.#clock.now();
      if (left <= 0) this.#abandon();
      else this.#after("watch", left, look);
    };
    this.#after("watch", SILENCE, look);
  }

  #abandon() {
    const socket = this.#detach();
    socket?.close();
    this.#closed(ABNORMAL, "");
  }

  #detach() {
    const socket = this.#socket;
    this.#socket = null;
    this.#ready = false;
    if (socket !== null) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
    }
    return socket;
  }

  #remember(id) {
    this.#seen.add(id);
    if (this.#seen.size > SEEN_LIMIT) this.#seen.delete(this.#seen.values().next().value);
  }

  #enter(state) {
    this.#state = state;
    this.#tell.state(state);
  }

  #after(what, delay, act) {
    this.#cancel(what);
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(what);
      act();
    }, delay);
    this.#timers.set(what, timer);
  }

  #cancel(what) {
    if (!this.#timers.has(what)) return;
    this.#clock.clearTimeout(this.#timers.get(what));
    this.#timers.delete(what);
  }
}
