// A topic of a server that a test plays by hand: what it answers over HTTP, and an EventSource and Socket.IO on it.

const encoder = new TextEncoder();

/** Who the pages are. */
export const ME = "jiu";
/** Of Engine.IO, in milliseconds. */
export const HEARTBEAT = { pingInterval: 25_000, pingTimeout: 20_000 };

export class FakeTopic {
  #epoch = "e";
  #held = []; // publications, oldest first
  #lost = 0; // how many before those are held no more
  #readers = new Set(); // told of each publication: {tell, cut}
  #keys = new Map(); // by idempotency key: the id

  /** What was sent by Socket.IO: packets, and bytes behind them. */
  packets = [];
  /** Instead of publishing an event of Socket.IO, this is acknowledged. */
  acknowledge = null;
  /** Every request, as `{method, what, query, headers, body}`. */
  requests = [];
  /** By what is asked for (`post`, `messages`, `stream`, `sse`): an answer of one's own, or a promise of it. */
  instead = new Map();
  /** How many publications before the cursor are told again with what is new, as a server never should. */
  overlap = 0;

  publish(body, { user, key } = {}) {
    if (key !== undefined && this.#keys.has(key)) return this.#keys.get(key);
    const id = this.#id(this.#lost + this.#held.length + 1);
    const data = typeof body === "string" ? { data: body } : { data: Buffer.from(body).toString("base64"), encoding: "base64" };
    const publication = { topic: "lobby", id, event: "message", ...data, time: 1, ...(user ? { user } : {}) };
    this.#held.push(publication);
    this.#keys.set(key, id);
    for (const reader of [...this.#readers]) reader.tell([publication]);
    return id;
  }

  /** Forgets everything, as a server that was killed. */
  restart() {
    this.cut();
    this.#epoch += "e";
    this.#held = [];
    this.#lost = 0;
    this.#keys.clear();
  }

  /** Forgets what is held. */
  evict() {
    this.#lost += this.#held.length;
    this.#held = [];
  }

  /** Cuts every reader. */
  cut() {
    for (const reader of [...this.#readers]) reader.cut();
    this.#readers.clear();
  }

  /** The data of what was published, in order. */
  get said() {
    return this.#held.map(({ data }) => data);
  }

  get readers() {
    return this.#readers.size;
  }

  asked(what) {
    return this.requests.filter((request) => request.what === what);
  }

  fetch = async (url, { method = "GET", headers = {}, body, signal } = {}) => {
    const { what, query } = this.#note(method, url, headers, body);
    if (this.instead.has(what)) return this.instead.get(what)(signal);
    if (what === "post") return json({ id: this.publish(body, { key: headers["Idempotency-Key"] }) });
    if (what === "presence") return json({ count: 3, users: [] });
    return what === "stream" ? this.#stream(query, signal) : this.#messages(query, signal);
  };

  get EventSource() {
    const topic = this;
    return class {
      #listeners = new Map();

      constructor(url) {
        const { query } = topic.#note("GET", url, {}, undefined);
        const own = topic.instead.get("sse");
        queueMicrotask(() => (own === undefined ? this.#begin(query) : own(this)));
      }

      addEventListener(type, act) {
        this.#listeners.set(type, act);
      }

      close() {
        topic.#readers.delete(this);
      }

      #begin({ since }) {
        this.onopen?.();
        const { missed, gap, next } = topic.#after(since);
        if (gap) this.#listeners.get("gap")?.({ data: "", lastEventId: next });
        this.tell(missed);
        topic.#readers.add(this);
      }

      tell(publications) {
        for (const { data, id } of publications) this.onmessage?.({ data, lastEventId: id });
      }

      cut() {
        this.onerror?.();
      }
    };
  }

  /** A WebSocket that speaks Socket.IO. */
  get SocketIo() {
    const topic = this;
    return class {
      #answers = null; // the head of an event whose bytes are to come

      constructor(url) {
        this.url = url;
        queueMicrotask(() => this.#give(`0${JSON.stringify({ sid: "s", upgrades: [], ...HEARTBEAT, maxPayload: 1_000 })}`));
      }

      send(packet) {
        topic.packets.push(packet);
        if (packet === "40") {
          topic.#readers.add(this);
          this.#give('40{"sid":"id"}');
        } else if (typeof packet !== "string") this.#event(this.#answers, packet);
        else if (packet.startsWith("451-")) this.#answers = packet.slice(4);
        else if (packet.startsWith("42")) this.#event(packet.slice(2));
      }

      close() {
        topic.#readers.delete(this);
      }

      /** What the server sends. */
      ping() {
        this.#give("2");
      }

      tell(publications) {
        for (const { event, data, encoding } of publications) {
          if (encoding !== "base64") {
            this.#give(`42${JSON.stringify([event, data])}`);
            continue;
          }
          this.#give(`451-${JSON.stringify([event, { _placeholder: true, num: 0 }])}`);
          this.#give(new Uint8Array(Buffer.from(data, "base64")).buffer);
        }
      }

      cut() {
        this.onclose?.({ code: 1006, reason: "" });
      }

      #give(data) {
        this.onmessage?.({ data });
      }

      #event(packet, bytes) {
        const [, number, args] = /^(\d+)(.*)$/s.exec(packet);
        const [, value] = JSON.parse(args);
        const answer = topic.acknowledge ?? topic.publish(bytes ?? value, { user: ME });
        this.#give(`43${number}${JSON.stringify([answer])}`);
      }
    };
  }

  #note(method, url, headers, body) {
    const { pathname, searchParams } = new URL(url);
    const what = method === "POST" ? "post" : pathname.split("/").at(-1);
    const request = { method, what, pathname, query: Object.fromEntries(searchParams), headers, body };
    this.requests.push(request);
    return request;
  }

  #messages({ since, wait = "0", limit }, signal) {
    const { missed, gap, next } = this.#after(since, Number(limit));
    if (missed.length > 0 || gap || wait === "0") return json({ messages: missed, next, gap });
    return new Promise((resolve, reject) => {
      const reader = {
        tell: (publications) => {
          this.#readers.delete(reader);
          resolve(json({ messages: publications, next: publications.at(-1).id, gap: false }));
        },
        cut: () => reject(new TypeError("cut")),
      };
      this.#readers.add(reader);
      signal.addEventListener("abort", () => {
        this.#readers.delete(reader);
        reject(signal.reason);
      });
    });
  }

  #stream({ since }, signal) {
    const { missed, gap, next } = this.#after(since);
    const body = new ReadableStream({
      start: (out) => {
        // A byte at a time, so that no piece is a line, or even a letter.
        const line = (value) => {
          for (const byte of encoder.encode(`${JSON.stringify(value)}\n\n`)) out.enqueue(Uint8Array.of(byte));
        };
        if (gap) line({ topic: "lobby", id: next, event: "gap", gap: true });
        const reader = { tell: (publications) => publications.forEach(line), cut: () => out.error(new TypeError("cut")) };
        reader.tell(missed);
        this.#readers.add(reader);
        signal.addEventListener("abort", () => {
          if (this.#readers.delete(reader)) out.error(signal.reason);
        });
      },
    });
    return new Response(body);
  }

  #after(since, limit = Infinity) {
    const [epoch, seq] = since === "earliest" ? [this.#epoch, 0] : since.split("-");
    const foreign = epoch !== this.#epoch;
    const gap = foreign || (since !== "earliest" && Number(seq) < this.#lost);
    const from = foreign ? 0 : Math.max(0, Number(seq) - this.#lost);
    const again = from < this.#held.length ? this.overlap : 0;
    const missed = this.#held.slice(Math.max(0, from - again), from + limit);
    return { missed, gap, next: missed.at(-1)?.id ?? this.#id(this.#lost + this.#held.length) };
  }

  #id(seq) {
    return `${this.#epoch}-${seq}`;
  }
}

export function json(value, status = 200) {
  return new Response(JSON.stringify(value), { status });
}

/** Waits until something is so, as long as anything moves. */
export async function until(condition, what) {
  for (let turn = 0; turn < 2_000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`it never came about that ${what ?? condition}`);
}
