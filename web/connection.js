// One room's connection, kept alive: take the door that the choice names, resume after the last id seen,
// send at the pace of the link, and when the link is lost, back off and come again, maybe by another door.
// No DOM; the doors and the clock are given. What a door tells is written in `doors.js`.
//
// We send nothing before the door is ready, because only then is it known which of our earlier messages
// arrived.

const FIRST_DELAY = 500;
const LAST_DELAY = 30_000;
const STEADY_AFTER = 10_000;
const CLOSE_WITHIN = 5_000;
const SILENCE = 15_000;
const SEEN_LIMIT = 4096;

/** The code that a browser gives when a connection ended without a close frame (RFC 6455 §7.1.5). */
const ABNORMAL = 1006;

export class Connection {
  #room;
  #name;
  #choice;
  #world;
  #outbox;
  #clock;
  #random;
  #tell;

  #link = null;
  #state = { name: "closed", code: null, reason: "", retryAt: null };
  #wanted = false;
  #entered = false; // a door was ready at least once
  #ready = false; // and this one is
  #gapped = false;
  #cursor = null;
  #seen = new Set();
  #failures = 0;
  #life = 0;
  #timers = new Map();

  /**
   * `choice` says which door to take, `world` is what doors are given; it knows our `name` and the `clock`.
   * `tell` hears `state(state)`, `message(message, {mine, replay})`, `presence(event, {own, again})`,
   * `ready()`, `gap()` and `outbox()`.
   */
  constructor({ room, choice, world, outbox, tell, random }) {
    this.#room = room;
    this.#name = world.name;
    this.#choice = choice;
    this.#world = world;
    this.#clock = world.clock;
    this.#outbox = outbox;
    this.#tell = tell;
    this.#random = random;
  }

  /** `{name, code, reason, retryAt, door}`; the name is connecting, open, closing or closed. */
  get state() {
    return this.#state;
  }

  /** Connects now: at first, after `stop`, or instead of waiting for the next try. */
  start() {
    this.#wanted = true;
    if (this.#link === null) this.#connect();
  }

  /** Says goodbye and stays away until `start`. */
  stop() {
    this.#wanted = false;
    this.#cancel("retry");
    if (this.#link === null) {
      this.#enter({ ...this.#state, name: "closed", retryAt: null });
      return;
    }
    this.#enter({ name: "closing", code: null, reason: "", retryAt: null });
    this.#after("deadline", CLOSE_WITHIN, () => this.#abandon());
    this.#link.close(true);
  }

  /** Takes another way from now on, at once where we are connected or about to be, and loses nothing by it. */
  use(choice) {
    this.#choice = choice;
    this.#failures = 0;
    if (!this.#wanted) return;
    this.#drop(ABNORMAL);
    this.#connect();
  }

  /** Ends for good, at once and without a word to `tell`. */
  dispose() {
    this.#wanted = false;
    for (const what of [...this.#timers.keys()]) this.#cancel(what);
    this.#detach()?.close();
  }

  /** Sends what waits in the outbox, as much as the link takes now, the rest when it has room. */
  pump() {
    // What waits is safer here than in a link that is closing.
    if (this.#link === null || !this.#ready || !this.#wanted) return;
    let entry;
    while ((entry = this.#outbox.next()) !== null && this.#link.send(entry)) this.#outbox.sent(entry, this.#name);
    this.#tell.outbox();
  }

  #connect() {
    this.#cancel("retry");
    this.#ready = false;
    const { door, patience } = this.#choice;
    this.#enter({ name: "connecting", code: null, reason: "", retryAt: null });
    this.#after("deadline", patience, () => this.#abandon());
    const events = this.#events();
    try {
      this.#link = door.open(this.#room, this.#cursor ?? "earliest", events, this.#world);
      events.link = this.#link;
    } catch {
      // This browser does not have what the door is made of.
      this.#closed({ code: ABNORMAL, reason: "" });
    }
  }

  // What the link tells, as long as it is ours: a link that was given up may have a last word on its way.
  #events() {
    const events = { link: null };
    const hear = {
      alive: () => this.#alive(),
      opened: () => this.#opened(),
      heard: (frame) => this.#heard(frame),
      presence: (event, own) => this.#tell.presence(event, { own, again: own && this.#entered }),
      at: (cursor) => {
        this.#cursor = cursor;
      },
      ready: () => this.#becomeReady(),
      free: () => this.pump(),
      left: (entry, id) => this.#left(entry, id),
      refused: (entry) => {
        this.#outbox.refuse(entry);
        this.#tell.outbox();
      },
      closed: (why) => this.#closed(why),
    };
    for (const [what, act] of Object.entries(hear)) {
      events[what] = (...told) => {
        if (events.link !== null && events.link === this.#link) act(...told);
      };
    }
    return events;
  }

  #alive() {
    this.#life = this.#clock.now();
    if (this.#state.name === "connecting") this.#after("deadline", this.#choice.patience, () => this.#abandon());
  }

  #opened() {
    if (!this.#wanted) return;
    this.#cancel("deadline");
    this.#after("steady", STEADY_AFTER, () => {
      this.#failures = 0;
      this.#choice.steady();
    });
    this.#enter({ name: "open", code: null, reason: "", retryAt: null });
  }

  #heard(frame) {
    this.#life = this.#clock.now();
    if (frame.kind === "message") this.#message(frame);
    else if (frame.kind === "gap") this.#gap();
  }

  #message(message) {
    if (message.id !== null) {
      if (this.#seen.has(message.id)) return;
      this.#remember(message.id);
      this.#cursor = message.id;
    }
    // Before we were first ready nothing here was sent by us; an equal message is an older one.
    const mine = this.#entered && this.#outbox.echo(message);
    if (mine) this.#choice.proved();
    this.#tell.message(message, { mine, replay: !this.#ready });
    if (mine) this.#tell.outbox();
  }

  #becomeReady() {
    this.#outbox.settle(this.#gapped);
    this.#gapped = false;
    this.#entered = true;
    this.#ready = true;
    this.#choice.worked();
    this.#tell.ready();
    this.pump();
  }

  #left(entry, id) {
    if (id !== null && this.#seen.has(id)) {
      // Its echo was faster than the answer.
      this.#outbox.done(entry);
      this.#tell.outbox();
      return;
    }
    this.#outbox.left(entry, id);
    this.#life = this.#clock.now();
    this.#watch();
  }

  #gap() {
    // The first entry has nothing to miss. A gap counts until its replay is over,
    // even over further cuts; it is told once.
    if (!this.#entered || this.#gapped) return;
    this.#gapped = !this.#ready;
    this.#tell.gap();
  }

  #closed(why) {
    const { code, reason } = why;
    this.#drop(code);
    if (!this.#wanted) {
      this.#enter({ name: "closed", code, reason, retryAt: null });
      return;
    }
    if (this.#choice.ended(why) === "now") {
      this.#connect();
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
  // a browser would notice only after minutes, and a door may let everything in and nothing out.
  #watch() {
    if (this.#timers.has("watch")) return;
    const look = () => {
      if (!this.#outbox.awaiting) return;
      const left = this.#life + SILENCE - this.#clock.now();
      if (left <= 0) this.#abandon(true);
      else this.#after("watch", left, look);
    };
    this.#after("watch", SILENCE, look);
  }

  #abandon(silent = false) {
    this.#closed({ code: ABNORMAL, reason: "", silent });
  }

  // The link is gone, or goes now.
  #drop(code) {
    this.#detach()?.close();
    for (const what of ["deadline", "retry", "steady", "watch"]) this.#cancel(what);
    this.#outbox.cut(code);
    this.#tell.outbox();
  }

  #detach() {
    const link = this.#link;
    this.#link = null;
    this.#ready = false;
    return link;
  }

  #remember(id) {
    this.#seen.add(id);
    if (this.#seen.size > SEEN_LIMIT) this.#seen.delete(this.#seen.values().next().value);
  }

  #enter(state) {
    this.#state = { ...state, door: this.#choice.door };
    this.#tell.state(this.#state);
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
