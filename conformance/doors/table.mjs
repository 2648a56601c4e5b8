// The table of doors: a server's topics, how messages are put into them, and what each door is to show.
//
// What is wanted of a message is `{kind, body, value, event, user}`: the kind is text, JSON or binary;
// `body` its text or bytes as they went in, or undefined where nobody promises how a JSON text is
// written; `value` is what that text says.

import assert from 'node:assert/strict';
import { curlStream, curled, eventSource, webSocket } from './clients.mjs';

export const TEXT = '첫 줄 👋\n\nthird: <b>&"\\ \tend\n';
// Not as anybody's JSON.stringify would write it: bytes stay as they came.
export const JSON_TEXT = '{ "n": 1.50,\n  "한": [null, true, "a\\nb", {}] }';
export const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
export const ID = /^[0-9A-Za-z]+-[0-9]+$/;

export const BODIES = [
  { kind: 'text', type: 'text/plain; charset=utf-8', body: TEXT },
  { kind: 'JSON', type: 'application/json', body: JSON_TEXT, value: JSON.parse(JSON_TEXT) },
  { kind: 'binary', type: 'application/octet-stream', body: BYTES },
];

const NAMES = [
  { by: '', event: 'message' },
  { by: ' with ?event=', event: 'ticket sold', query: '?event=ticket%20sold' },
  { by: ' with X-Event', event: 'ticket.sold', header: 'X-Event: ticket.sold' },
];

/** How a message goes in by WebSocket and POST. `send` returns its id where it is told one. */
export const WAYS = [
  { way: 'WebSocket text', kind: 'text', body: TEXT, user: 'Ana', send: (t, yard, p) => yard.sent(t, p, TEXT) },
  { way: 'WebSocket binary', kind: 'binary', body: BYTES, user: 'Ana', send: (t, yard, p) => yard.sent(t, p, BYTES) },
  ...BODIES.flatMap(({ type, ...wanted }) =>
    NAMES.map(({ by, event, query, header }) => {
      const headers = [`Content-Type: ${type}`, ...(header ? [header] : [])];
      const send = (_, yard, place) => yard.posted(place, { query, headers, body: wanted.body });
      return { way: `POST ${wanted.kind}${by}`, ...wanted, event, send };
    }),
  ),
].map((way) => ({ event: 'message', ...way }));

let topics = 0;
/** A topic, and its address below /topics. The name needs escaping. */
export function fresh() {
  const topic = `마당/${process.pid}?${++topics}`;
  return { topic, segment: encodeURIComponent(topic) };
}

/** The topics of a server. */
export class Yard {
  constructor(server) {
    this.server = server;
  }

  url({ segment }, rest = '') {
    return `${this.server.base}/topics/${segment}${rest}`;
  }

  socketUrl({ segment }, query = '') {
    return `${this.server.base}/ws/${segment}${query}`;
  }

  async post(place, { query = '', headers = [], body }) {
    const args = ['--request', 'POST', '--data-binary', '@-'];
    for (const header of headers) args.push('--header', header);
    return JSON.parse(await curled([...args, this.url(place, query)], body));
  }

  /** Publishes by POST; the id. */
  async posted(place, what) {
    const { id } = await this.post(place, what);
    assert.match(id, ID);
    return id;
  }

  /** Publishes by WebSocket. */
  async sent(t, place, data) {
    const { socket } = await webSocket(t, this.socketUrl(place, '?name=Ana'));
    await new Promise((resolve, reject) => {
      socket.send(data, (error) => (error ? reject(error) : resolve()));
    });
  }

  async messages(place, query = '') {
    return JSON.parse(await curled([this.url(place, `/messages${query}`)]));
  }

  /** Returns once somebody is present by a door. */
  async present(place, door) {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const { count, users } = JSON.parse(await curled([this.url(place, '/presence')]));
      if (users.some((user) => user.door === door)) return;
      assert.ok(Date.now() < deadline, `nobody is present by ${door}, of ${count}`);
    }
  }
}

/** The members that every JSON form of a message has; returns its data and encoding. */
function known(place, message, { event, user }, id) {
  const { topic, id: its, event: name, data, encoding, time, ...more } = message;
  assert.equal(topic, place.topic);
  assert.match(its, ID);
  if (id) assert.equal(its, id);
  assert.equal(name, event);
  assert.ok(Math.abs(Date.now() - time) < 3_600_000, `time is ${time}`);
  assert.deepEqual(more, user ? { user } : {});
  return { data, encoding };
}

function checkJson(place, message, wanted, id) {
  const { data, encoding } = known(place, message, wanted, id);
  assert.equal(encoding, wanted.kind === 'binary' ? 'base64' : undefined);
  if (wanted.kind === 'text') assert.equal(data, wanted.body);
  else if (wanted.kind === 'JSON') assert.deepEqual(data, wanted.value);
  else assert.equal(data, wanted.body.toString('base64'));
}

/** A body where it stands bare: as it went in, or a JSON text of the same value. */
function checkBody(data, { body, value }) {
  if (body === undefined) assert.deepEqual(JSON.parse(data), value);
  else assert.deepEqual(data, body);
}

/** The same as an event's data, where bytes are base64. */
const eventBody = ({ kind, body, value }) => ({ body: kind === 'binary' ? body.toString('base64') : body, value });

function checkAnswer(place, { messages, next, gap, ...more }, wanted, id) {
  assert.deepEqual(more, {});
  assert.equal(gap, false);
  assert.equal(messages.length, 1);
  assert.equal(next, messages[0].id);
  checkJson(place, messages[0], wanted, id);
}

/** Each door: `open` returns, once the door is open, what awaits the message and checks it. */
export const DOORS = [
  {
    door: 'WebSocket',
    async open(t, yard, place, wanted) {
      const peer = await webSocket(t, yard.socketUrl(place));
      return async () => checkBody(await peer.next(), wanted);
    },
  },
  {
    door: 'WebSocket with envelope=json',
    async open(t, yard, place, wanted) {
      const peer = await webSocket(t, yard.socketUrl(place, '?envelope=json'));
      return async (id) => {
        const message = await peer.next();
        if (wanted.kind !== 'binary') return checkJson(place, JSON.parse(message), wanted, id);
        // Length of the head, the head, the bytes.
        const head = 4 + message.readUInt32BE(0);
        const { data, encoding } = known(place, JSON.parse(message.subarray(4, head)), wanted, id);
        assert.deepEqual([data, encoding], [undefined, undefined]);
        assert.deepEqual(message.subarray(head), wanted.body);
      };
    },
  },
  {
    door: 'EventSource',
    async open(t, yard, place, wanted) {
      const events = new Set([wanted.event, 'message', 'gap']);
      const source = await eventSource(t, yard.url(place, '/sse'), events);
      return async (id) => {
        const { type, data, lastEventId } = await source.next();
        assert.equal(type, wanted.event);
        checkBody(data, eventBody(wanted));
        assert.match(lastEventId, ID);
        if (id) assert.equal(lastEventId, id);
      };
    },
  },
  {
    door: 'SSE to curl',
    async open(t, yard, place, wanted) {
      const stream = await curlStream(t, yard.url(place, '/sse'), '\n\n');
      assert.match(stream.opening, /^retry: \d+$/);
      // Where it begins: no event, but an id for whoever is cut before the first.
      assert.match(await stream.next(), /^id: [0-9A-Za-z]+-[0-9]+$/);
      return async (id) => {
        const [first, ...lines] = (await stream.next()).split('\n');
        assert.match(first, /^id: [0-9A-Za-z]+-[0-9]+$/);
        if (id) assert.equal(first, `id: ${id}`);
        if (wanted.event !== 'message') assert.equal(lines.shift(), `event: ${wanted.event}`);
        for (const line of lines) assert.match(line, /^data:( .+|$)/);
        checkBody(lines.map((line) => line.slice('data: '.length)).join('\n'), eventBody(wanted));
      };
    },
  },
  {
    door: 'stream to curl',
    async open(t, yard, place, wanted) {
      const stream = await curlStream(t, yard.url(place, '/stream'), '\n');
      assert.equal(stream.opening, '');
      return async (id) => checkJson(place, JSON.parse(await stream.next()), wanted, id);
    },
  },
  {
    door: 'long poll by curl',
    async open(_, yard, place, wanted) {
      const since = await yard.posted(place, { body: 'before' });
      const answer = yard.messages(place, `?since=${since}&wait=30&session=${topics}`);
      answer.catch(() => {}); // It is awaited below, or a check before it failed.
      await yard.present(place, 'poll');
      return async (id) => checkAnswer(place, await answer, wanted, id);
    },
  },
  {
    door: 'poll by curl',
    async open(_, yard, place, wanted) {
      const since = await yard.posted(place, { body: 'before' });
      return async (id) => {
        // A WebSocket is not told when its message is published: ask until it is.
        let answer;
        const deadline = Date.now() + 15_000;
        do {
          answer = await yard.messages(place, `?since=${since}`);
        } while (answer.messages.length === 0 && Date.now() < deadline);
        checkAnswer(place, answer, wanted, id);
      };
    },
  },
];
