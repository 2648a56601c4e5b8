// Each cell of the table of doors: what goes in by WebSocket or POST comes out at every door as it says.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { curlStream, curled, eventSource, webSocket } from './clients.mjs';
import { Server } from './server.mjs';

const TEXT = '첫 줄 👋\n\nthird: <b>&"\\ \tend\n';
// Not as anybody's JSON.stringify would write it: bytes stay as they came.
const JSON_TEXT = '{ "n": 1.50,\n  "한": [null, true, "a\\nb", {}] }';
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const ID = /^[0-9A-Za-z]+-[0-9]+$/;

let server;
before(async () => {
  server = await Server.start();
});
after(() => server.end('SIGTERM'));

let topics = 0;
/** A topic, and its address below /topics. The name needs escaping. */
function fresh() {
  const topic = `마당/${process.pid}?${++topics}`;
  return { topic, segment: encodeURIComponent(topic) };
}
const topicUrl = ({ segment }, rest = '') => `${server.base}/topics/${segment}${rest}`;

async function post(place, { query = '', headers = [], body }) {
  const args = ['--request', 'POST', '--data-binary', '@-'];
  for (const header of headers) args.push('--header', header);
  return JSON.parse(await curled([...args, topicUrl(place, query)], body));
}

/** Publishes by POST; the id. */
async function posted(place, what) {
  const { id } = await post(place, what);
  assert.match(id, ID);
  return id;
}

async function sent(t, place, data) {
  const { socket } = await webSocket(t, `${server.base}/ws/${place.segment}?name=Ana`);
  await new Promise((resolve, reject) => {
    socket.send(data, (error) => (error ? reject(error) : resolve()));
  });
}

// ---------------------------------------------------------------- ways in

const BODIES = [
  { kind: 'text', type: 'text/plain; charset=utf-8', body: TEXT },
  { kind: 'JSON', type: 'application/json', body: JSON_TEXT },
  { kind: 'binary', type: 'application/octet-stream', body: BYTES },
];

const NAMES = [
  { by: '', event: 'message' },
  { by: ' with ?event=', event: 'ticket sold', query: '?event=ticket%20sold' },
  { by: ' with X-Event', event: 'ticket.sold', header: 'X-Event: ticket.sold' },
];

/** How a message goes in, and what is to come out. `send` returns its id where it is told one. */
const WAYS = [
  { way: 'WebSocket text', kind: 'text', body: TEXT, user: 'Ana', send: (t, p) => sent(t, p, TEXT) },
  { way: 'WebSocket binary', kind: 'binary', body: BYTES, user: 'Ana', send: (t, p) => sent(t, p, BYTES) },
  ...BODIES.flatMap(({ kind, type, body }) =>
    NAMES.map(({ by, event, query, header }) => {
      const headers = [`Content-Type: ${type}`, ...(header ? [header] : [])];
      const send = (_, place) => posted(place, { query, headers, body });
      return { way: `POST ${kind}${by}`, kind, body, event, send };
    }),
  ),
].map((way) => ({ event: 'message', ...way }));

// ---------------------------------------------------------------- doors out

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
  if (wanted.kind === 'text') assert.equal(data, TEXT);
  else if (wanted.kind === 'JSON') assert.deepEqual(data, JSON.parse(JSON_TEXT));
  else assert.equal(data, BYTES.toString('base64'));
}

/** What an event's data is. */
const eventData = ({ kind, body }) => (kind === 'binary' ? body.toString('base64') : body);

/** Each door: `open` returns, once the door is open, what awaits the message and checks it. */
const DOORS = [
  {
    door: 'WebSocket',
    async open(t, place, wanted) {
      const peer = await webSocket(t, `${server.base}/ws/${place.segment}`);
      return async () => assert.deepEqual(await peer.next(), wanted.body);
    },
  },
  {
    door: 'WebSocket with envelope=json',
    async open(t, place, wanted) {
      const peer = await webSocket(t, `${server.base}/ws/${place.segment}?envelope=json`);
      return async (id) => {
        const message = await peer.next();
        if (wanted.kind !== 'binary') return checkJson(place, JSON.parse(message), wanted, id);
        // Length of the head, the head, the bytes.
        const head = 4 + message.readUInt32BE(0);
        const { data, encoding } = known(place, JSON.parse(message.subarray(4, head)), wanted, id);
        assert.deepEqual([data, encoding], [undefined, undefined]);
        assert.deepEqual(message.subarray(head), BYTES);
      };
    },
  },
  {
    door: 'EventSource',
    async open(t, place, wanted) {
      const events = [...NAMES.map(({ event }) => event), 'gap'];
      const source = await eventSource(t, topicUrl(place, '/sse'), events);
      return async (id) => {
        const { type, data, lastEventId } = await source.next();
        assert.equal(type, wanted.event);
        assert.equal(data, eventData(wanted));
        assert.match(lastEventId, ID);
        if (id) assert.equal(lastEventId, id);
      };
    },
  },
  {
    door: 'SSE to curl',
    async open(t, place, wanted) {
      const stream = await curlStream(t, topicUrl(place, '/sse'), '\n\n');
      assert.match(stream.opening, /^retry: \d+$/);
      // Where it begins: no event, but an id for whoever is cut before the first.
      assert.match(await stream.next(), /^id: [0-9A-Za-z]+-[0-9]+$/);
      return async (id) => {
        const [first, ...lines] = (await stream.next()).split('\n');
        assert.match(first, /^id: [0-9A-Za-z]+-[0-9]+$/);
        if (id) assert.equal(first, `id: ${id}`);
        const name = wanted.event === 'message' ? [] : [`event: ${wanted.event}`];
        const data = eventData(wanted).split('\n').map((line) => (line ? `data: ${line}` : 'data:'));
        assert.deepEqual(lines, [...name, ...data]);
      };
    },
  },
  {
    door: 'stream to curl',
    async open(t, place, wanted) {
      const stream = await curlStream(t, topicUrl(place, '/stream'), '\n');
      assert.equal(stream.opening, '');
      return async (id) => checkJson(place, JSON.parse(await stream.next()), wanted, id);
    },
  },
  {
    door: 'long poll by curl',
    async open(_, place, wanted) {
      const since = await posted(place, { body: 'before' });
      const query = `?since=${since}&wait=30&session=${topics}`;
      const answer = curled([topicUrl(place, `/messages${query}`)]);
      answer.catch(() => {}); // It is awaited below, or a check before it failed.
      await present(place, 'poll');
      return async (id) => checkAnswer(place, JSON.parse(await answer), wanted, id);
    },
  },
  {
    door: 'poll by curl',
    async open(_, place, wanted) {
      const since = await posted(place, { body: 'before' });
      return async (id) => {
        // A WebSocket is not told when its message is published: ask until it is.
        let answer;
        const deadline = Date.now() + 15_000;
        do {
          answer = JSON.parse(await curled([topicUrl(place, `/messages?since=${since}`)]));
        } while (answer.messages.length === 0 && Date.now() < deadline);
        checkAnswer(place, answer, wanted, id);
      };
    },
  },
];

function checkAnswer(place, { messages, next, gap, ...more }, wanted, id) {
  assert.deepEqual(more, {});
  assert.equal(gap, false);
  assert.equal(messages.length, 1);
  assert.equal(next, messages[0].id);
  checkJson(place, messages[0], wanted, id);
}

/** Returns once somebody is present by a door. */
async function present(place, door) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { count, users } = JSON.parse(await curled([topicUrl(place, '/presence')]));
    if (users.some((user) => user.door === door)) return;
    assert.ok(Date.now() < deadline, `nobody is present by ${door}, of ${count}`);
  }
}

for (const way of WAYS) {
  describe(way.way, () => {
    for (const { door, open } of DOORS) {
      test(`comes out at ${door}`, async (t) => {
        const place = fresh();
        const check = await open(t, place, way);
        await check(await way.send(t, place));
      });
    }
  });
}

// ---------------------------------------------------------------- and beside the table

test('the headers of a message come out wherever there is JSON', async (t) => {
  const place = fresh();
  const peer = await webSocket(t, `${server.base}/ws/${place.segment}?envelope=json`);
  const stream = await curlStream(t, topicUrl(place, '/stream'), '\n');
  await posted(place, { headers: ['Content-Type: text/plain', 'X-Message-Colour: red'], body: 'hi' });
  const answer = JSON.parse(await curled([topicUrl(place, '/messages')]));
  for (const message of [JSON.parse(await peer.next()), JSON.parse(await stream.next()), answer.messages[0]]) {
    assert.equal(message.data, 'hi');
    assert.deepEqual(message.headers, { colour: 'red' });
  }
});

test('a batch is a message a line, in its order, at every door', async (t) => {
  const place = fresh();
  const peer = await webSocket(t, `${server.base}/ws/${place.segment}`);
  const source = await eventSource(t, topicUrl(place, '/sse'), ['tick']);
  const headers = ['Content-Type: application/x-ndjson'];
  const lines = ['1', '{"two":2}', '"셋"'];
  const { ids } = await post(place, { query: '?event=tick', headers, body: lines.join('\n') });
  assert.equal(ids.length, 3);
  for (const [number, line] of lines.entries()) {
    assert.equal(await peer.next(), line);
    assert.deepEqual(await source.next(), { type: 'tick', data: line, lastEventId: ids[number] });
  }
  const { messages, next } = JSON.parse(await curled([topicUrl(place, '/messages')]));
  assert.deepEqual(messages.map(({ data }) => data), lines.map((line) => JSON.parse(line)));
  assert.equal(next, ids[2]);
});
