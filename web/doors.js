// The doors by which the page can enter, and which of them is tried when.
//
// A door is a record: `name` (as in `?door=`), `labels` by language, `presence` (whether it tells who is
// here), and `open(room, since, events, world)`, which comes back at once with `{send(entry), close(gently)}`.
// `since` is a cursor or `earliest`. What `events` hears, in this order:
//
//   alive()            the server is there, the door is not through yet
//   opened()           the first sign of life through this door
//   heard(frame)       a message or a gap, as `protocol.js` reads them
//   presence(frame, own)   somebody came or went; `own` is our own arrival
//   at(cursor)         everything up to here has come
//   ready()            what was said before has come; what is sent now comes back
//   free()             `send` takes entries again after it gave false
//   left(entry, id)    the entry is on its way (`id` null), or published under this id
//   refused(entry)     the server does not take this message
//   closed(why)        the end, unless `close()` was called: `{code, reason, unreachable, silent}`
//
// `send` gives false when it cannot take the entry now. `close(true)` says goodbye and still tells what
// comes, up to `closed`. `world` is what a browser has, and who we are in it: see `chat.js`.

import { longpoll } from "./doors/longpoll.js";
import { poll } from "./doors/poll.js";
import { socketio } from "./doors/socketio.js";
import { sse } from "./doors/sse.js";
import { stream } from "./doors/stream.js";
import { websocket } from "./doors/websocket.js";

/** All of them, in the order in which "automatic" tries them. */
export const DOORS = [websocket, sse, stream, longpoll, poll, socketio];

/** The name of the choice that is no single door. */
export const AUTOMATIC = "auto";

const FIRST_SIGN = 5_000;
const FIXED_SIGN = 15_000;
const TRIES = 3;

/** Which door to take: always the same, or the first that lets us through. */
export class Choice {
  #doors;
  #at = 0;
  #past = new Map(); // by door: {worked, proved, failures}

  /** `name` fixes a door of the list; any other name is "automatic". */
  constructor(doors, name) {
    const fixed = doors.find((door) => door.name === name);
    this.#doors = fixed === undefined ? doors : [fixed];
    this.name = fixed === undefined ? AUTOMATIC : fixed.name;
  }

  /** The door to take now. */
  get door() {
    return this.#doors[this.#at];
  }

  /** How long to wait for a first sign of life. */
  get patience() {
    return this.name === AUTOMATIC ? FIRST_SIGN : FIXED_SIGN;
  }

  /** The door let us through. */
  worked() {
    this.#record.worked = true;
  }

  /** The door brought back what we had sent. */
  proved() {
    this.#record.proved = true;
  }

  /** The door has held for a while. */
  steady() {
    this.#record.failures = 0;
  }

  /** The door has closed: `now` when another is to be tried at once, else `later`. */
  ended({ unreachable, silent }) {
    const record = this.#record;
    record.failures += 1;
    if (unreachable) {
      // Not this door is shut, the server is away; when it is back, the best door may be open.
      this.#at = 0;
      return "later";
    }
    const blocked = !record.worked || (silent && !record.proved) || record.failures > TRIES;
    if (!blocked) return "later";
    if (silent) record.worked = false;
    this.#at = (this.#at + 1) % this.#doors.length;
    return this.#at === 0 ? "later" : "now";
  }

  get #record() {
    const { name } = this.door;
    if (!this.#past.has(name)) this.#past.set(name, { worked: false, proved: false, failures: 0 });
    return this.#past.get(name);
  }
}
