// WebSocket: both ways on one connection, and the only door that tells who is here.
//
// On each socket the server sends, in this order: a gap event if history was lost, the messages after
// our cursor, our own join event; then what happens. Only then is it known which of our earlier
// messages arrived.

import { parseBinary, parseText, socketUrl } from "../protocol.js";

const PACE = 50;
const WATCH = 500;
const HIGH_WATER = 256 * 1024;
const OPEN = 1;

export const websocket = {
  name: "websocket",
  labels: { en: "WebSocket", ko: "웹소켓" },
  presence: true,
  open: (room, since, events, world) => new Link(room, since, events, world),
};

class Link {
  #socket;
  #events;
  #clock;
  #name;
  #ready = false;
  #buffered = 0;
  #timer = null;

  constructor(room, since, events, { socketBase, name, session, WebSocket, clock }) {
    this.#events = events;
    this.#clock = clock;
    this.#name = name;
    const socket = new WebSocket(socketUrl(socketBase, { room, name, session, cursor: since }));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.opened();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = ({ code, reason }) => {
      this.#rest();
      events.closed({ code, reason });
    };
    this.#socket = socket;
  }

  send(entry) {
    const socket = this.#socket;
    // A socket that is closing swallows what it is given.
    if (socket.readyState !== OPEN) return false;
    if (socket.bufferedAmount > HIGH_WATER) {
      this.#wake(PACE);
      return false;
    }
    socket.send(entry.payload);
    this.#events.left(entry, null);
    this.#buffered = socket.bufferedAmount;
    if (this.#timer === null && this.#buffered > 0) this.#wake(WATCH);
    return true;
  }

  close(gently = false) {
    if (!gently) {
      this.#rest();
      Object.assign(this.#socket, { onopen: null, onmessage: null, onclose: null });
    }
    this.#socket.close(1000);
  }

  #receive(data) {
    const frame = typeof data === "string" ? parseText(data) : parseBinary(data);
    if (frame.kind !== "presence") {
      this.#events.heard(frame);
      return;
    }
    const own = !this.#ready && frame.event === "join" && (frame.users !== null || frame.user === this.#name);
    this.#events.presence(frame, own);
    if (!own) return;
    this.#ready = true;
    if (frame.id !== null) this.#events.at(frame.id);
    this.#events.ready();
  }

  // While something waits in the socket: does it move, and is there room again?
  #wake(delay) {
    this.#rest();
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      const buffered = this.#socket.bufferedAmount;
      if (buffered < this.#buffered) this.#events.alive();
      this.#buffered = buffered;
      if (buffered <= HIGH_WATER) this.#events.free();
      if (this.#timer === null && buffered > 0) this.#wake(buffered > HIGH_WATER ? PACE : WATCH);
    }, delay);
  }

  #rest() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
