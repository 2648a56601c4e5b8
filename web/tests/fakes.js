// A clock that moves when told, and a server that a test plays by hand.

export class FakeClock {
  #now = 0;
  #timers = new Map();
  #next = 1;

  now() {
    return this.#now;
  }

  setTimeout(act, delay) {
    this.#timers.set(this.#next, { at: this.#now + delay, act });
    return this.#next++;
  }

  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  /** Lets time pass, firing what is due in order. */
  pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].act();
    }
    this.#now = end;
  }

  /** Timers that are set. */
  get pending() {
    return this.#timers.size;
  }
}

/** A WebSocket class whose instances are collected in `sockets`, newest last. */
export function fakeWebSocket() {
  const sockets = [];
  class FakeWebSocket {
    readyState = 0;
    bufferedAmount = 0;
    sent = [];
    closedWith = null;

    constructor(url) {
      this.url = url;
      sockets.push(this);
    }

    send(data) {
      if (this.readyState !== 1) throw new Error("sent on a socket that is not open");
      this.sent.push(data);
    }

    close(code) {
      this.closedWith = code ?? null;
      this.readyState = 2;
    }

    // What the server and the network do:

    accept() {
      this.readyState = 1;
      this.onopen?.();
    }

    give(frame) {
      this.onmessage?.({ data: typeof frame === "object" && !(frame instanceof ArrayBuffer) ? JSON.stringify(frame) : frame });
    }

    end(code = 1006, reason = "") {
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }
  }
  return { FakeWebSocket, sockets };
}

/** A binary frame as the server writes it. */
export function binaryFrame(head, body) {
  const json = new TextEncoder().encode(JSON.stringify(head));
  const frame = new Uint8Array(4 + json.length + body.length);
  new DataView(frame.buffer).setUint32(0, json.length);
  frame.set(json, 4);
  frame.set(body, 4 + json.length);
  return frame.buffer;
}
