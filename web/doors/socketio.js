// Socket.IO, by hand: packets of Engine.IO 4 on a WebSocket, and on them the few of Socket.IO that a chat needs.
//
// What we say is an event, acknowledged with the message's id. An event that comes has no place for its id,
// and without ids nobody knows after a cut what is missing: so it is the bell, and what it rings for is read
// behind the cursor.

import { byteLength } from "../protocol.js";
import { ABNORMAL, Ended, TOO_LARGE, httpDoor, parse, refused } from "./http.js";

const EVENT = "message";
const BAD_REQUEST = 400;
// The head of a packet, beside the words.
const HEAD = 64;

export const socketio = httpDoor({
  name: "socketio",
  labels: { en: "Socket.IO", ko: "Socket.IO" },
  async live(link, since) {
    const bell = new Bell();
    const wire = new Wire(link, bell);
    link.signal.addEventListener("abort", () => wire.close());
    await wire.connected;
    link.by((entry) => wire.publish(entry));
    // What came before we were in the topic rang no bell.
    let cursor = await link.past(since);
    link.through();
    const reading = async () => {
      for (;;) {
        await bell.rung();
        cursor = await link.past(cursor);
      }
    };
    await Promise.race([wire.ended, reading()]);
  },
});

/** Rings until somebody has looked. */
class Bell {
  #rings = false;
  #look = null;

  ring() {
    this.#rings = true;
    this.#look?.();
  }

  async rung() {
    if (!this.#rings) await new Promise((resolve) => (this.#look = resolve));
    this.#rings = false;
  }
}

/** The connection: in the topic once it is `connected`; `ended` says why it is no more. */
class Wire {
  #link;
  #bell;
  #socket;
  #silence = 0; // how long the server may say nothing
  #timer = null;
  #limit = Infinity;
  #acks = new Map(); // by number: what awaits the acknowledgement
  #next = 0;
  #enter;
  #end;

  constructor(link, bell) {
    this.#link = link;
    this.#bell = bell;
    const { socketBase, name, session, WebSocket } = link.world;
    const query = { EIO: 4, transport: "websocket", topic: link.room, name, session };
    const pairs = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
    this.ended = new Promise((_, reject) => (this.#end = reject));
    const entered = new Promise((resolve) => (this.#enter = resolve));
    this.connected = Promise.race([entered, this.ended]);
    this.#socket = new WebSocket(`${socketBase}/socket.io/?${pairs.join("&")}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onclose = ({ reason }) => this.#end(new Ended(ABNORMAL, reason));
    this.#socket.onmessage = ({ data }) => {
      this.#listen();
      // The bytes that belong to an event: it has rung already.
      if (typeof data === "string") this.#heard(data);
    };
  }

  close() {
    this.#link.world.clock.clearTimeout(this.#timer);
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close(1000);
  }

  /** Publishes an entry of the outbox; its id, as soon as the server has told it. */
  publish({ payload, bytes }) {
    const isText = bytes === null;
    if ((isText ? byteLength(JSON.stringify(payload)) + HEAD : bytes.length) > this.#limit) {
      return Promise.reject(new Ended(TOO_LARGE, ""));
    }
    const number = this.#next++;
    const id = new Promise((resolve, reject) => {
      this.#acks.set(number, ([answer]) => {
        if (typeof answer === "string") resolve(answer);
        else reject(new Ended(BAD_REQUEST, ""));
      });
    });
    const args = JSON.stringify([EVENT, isText ? payload : { _placeholder: true, num: 0 }]);
    this.#socket.send(isText ? `42${number}${args}` : `451-${number}${args}`);
    if (!isText) this.#socket.send(bytes);
    return id;
  }

  #heard(packet) {
    const is = (type) => packet.startsWith(type);
    if (is("0")) this.#opened(parse(packet.slice(1)));
    else if (is("1") || is("41")) this.#end(new Ended(ABNORMAL, ""));
    else if (is("2")) this.#socket.send("3");
    else if (is("40")) this.#enter();
    else if (is("42") || is("45")) this.#bell.ring();
    else if (is("43")) this.#acknowledged(packet);
    else if (is("44")) this.#end(refused(parse(packet.slice(2))?.message));
  }

  #opened(handshake) {
    const { pingInterval, pingTimeout, maxPayload } = handshake ?? {};
    if (![pingInterval, pingTimeout, maxPayload].every(Number.isFinite)) {
      this.#end(new Ended(ABNORMAL, "this is no Engine.IO"));
      return;
    }
    this.#silence = pingInterval + pingTimeout;
    this.#limit = maxPayload;
    this.#listen();
    this.#socket.send("40");
  }

  #acknowledged(packet) {
    const [, number, args] = /^43(\d+)(\[.*)$/s.exec(packet) ?? [];
    const answer = this.#acks.get(Number(number));
    this.#acks.delete(Number(number));
    answer?.(parse(args) ?? []);
  }

  #listen() {
    const { clock } = this.#link.world;
    clock.clearTimeout(this.#timer);
    if (this.#silence > 0) this.#timer = clock.setTimeout(() => this.#end(new Ended(ABNORMAL, "")), this.#silence);
  }
}
