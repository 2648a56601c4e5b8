// A TCP link to the server that a test can cut, or make lose what goes one way before it is cut.

import { once } from "node:events";
import { createServer, connect } from "node:net";

export class Link {
  #listener;
  #pairs = new Set();
  #down = false;
  #losing = null; // "up": to the server, "down": from it
  #lost = 0;
  #onLost = () => {};

  /** A link to a port of this machine. */
  static async to(port) {
    const link = new Link();
    link.#listener = createServer((near) => link.#accept(near, port));
    link.#listener.listen(0, "127.0.0.1");
    await once(link.#listener, "listening");
    return link;
  }

  get url() {
    return `http://127.0.0.1:${this.#listener.address().port}/`;
  }

  #accept(near, port) {
    if (this.#down) {
      near.on("error", () => {});
      near.resetAndDestroy();
      return;
    }
    const far = connect(port, "127.0.0.1");
    const pair = { near, far };
    this.#pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      this.#pairs.delete(pair);
    };
    this.#carry(near, far, "up");
    this.#carry(far, near, "down");
    for (const socket of [near, far]) {
      socket.on("error", end);
      socket.on("close", end);
    }
  }

  #carry(from, to, way) {
    from.on("data", (bytes) => {
      if (this.#losing !== way) {
        to.write(bytes);
        return;
      }
      this.#lost += bytes.length;
      this.#onLost();
    });
  }

  /** From now on what goes this way is lost, while the connection seems to be whole. */
  lose(way) {
    this.#losing = way;
    this.#lost = 0;
  }

  /** Waits until something was lost. */
  async lostSomething() {
    if (this.#lost > 0) return;
    await new Promise((resolve) => {
      this.#onLost = resolve;
    });
  }

  /** Resets every connection, and new ones until `mend`. */
  cut() {
    this.#down = true;
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** The link is whole again. */
  mend() {
    this.#down = false;
    this.#losing = null;
  }

  close() {
    this.cut();
    this.#listener.close();
  }
}
