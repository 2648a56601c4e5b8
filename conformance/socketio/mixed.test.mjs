// A mixed room: the cells of the table of doors that have Socket.IO on one side, or on both.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventSource, webSocket } from '../doors/clients.mjs';
import { Server } from '../doors/server.mjs';
import { BYTES, DOORS, ID, JSON_TEXT, TEXT, WAYS, Yard, fresh } from '../doors/table.mjs';
import { CLIENTS, connected } from './clients.mjs';

let server;
let yard;
before(async () => {
  server = await Server.start();
  yard = new Yard(server);
});
after(() => server.end('SIGTERM'));

// ---------------------------------------------------------------- from Socket.IO

const base64 = BYTES.toString('base64');
const NESTED = { name: '그림 <b>', parts: [BYTES, { last: Buffer.from('끝') }] };
const PLAIN_NESTED = { name: '그림 <b>', parts: [base64, { last: Buffer.from('끝').toString('base64') }] };

/** What is emitted, and what it is to be for those who know nothing of arguments. */
const EMITTED = [
  { what: 'a string', args: [TEXT], kind: 'text', body: TEXT },
  { what: 'a string under a name', event: 'ticket sold', args: [TEXT], kind: 'text', body: TEXT },
  { what: 'nothing', args: [], kind: 'text', body: '' },
  { what: 'bytes', args: [BYTES], kind: 'binary', body: BYTES },
  { what: 'bytes under a name', event: 'ticket.sold', args: [BYTES], kind: 'binary', body: BYTES },
  { what: 'an object', args: [JSON.parse(JSON_TEXT)] },
  { what: 'an array', args: [[1, 'two', [3]]] },
  { what: 'an array of one', args: [['one']] },
  { what: 'a number', args: [-1.5e-7] },
  { what: 'null', args: [null] },
  { what: 'an object with bytes in it', event: 'picture', args: [NESTED], value: PLAIN_NESTED },
  { what: 'several arguments', args: [TEXT, 2, null, { three: [3] }, []], array: true },
  { what: 'several arguments under a name', event: 'ticket sold', args: ['A', 1], array: true },
  {
    what: 'several arguments, bytes among them',
    event: 'pictures',
    args: [BYTES, 'between', NESTED, Buffer.alloc(0)],
    value: [base64, 'between', PLAIN_NESTED, ''],
  },
].map(({ args, event = 'message', kind = 'JSON', array, ...more }) => {
  const value = array ? args : args[0];
  return { args, event, kind, received: args, user: 'Ana', ...(kind === 'JSON' ? { value } : {}), ...more };
});

/** Emits it to the topic in which the client is. */
async function emitted(t, place, { event, args }, client) {
  const { ask } = await connected(t, server.base, client, { query: { topic: place.topic, name: 'Ana' } });
  const id = await ask(event, ...args);
  assert.match(id, ID);
  return id;
}

/** Publishes it in the topic, being in another one. */
async function published(t, place, { event, args }, client) {
  const query = { topic: fresh().topic, name: 'Ana' };
  const { ask } = await connected(t, server.base, client, { query });
  const id = await ask('publish', place.topic, event, ...args);
  assert.match(id, ID);
  return id;
}

// ---------------------------------------------------------------- to Socket.IO

const SOCKETS = CLIENTS.map((client) => ({
  door: client.client,
  async open(t, yard, place, { event, received, body, value }) {
    const events = new Set([event, 'message']);
    const socket = await connected(t, yard.server.base, client, { query: { topic: place.topic }, events });
    return async () => assert.deepEqual(await socket.next(), [event, ...(received ?? [value ?? body])]);
  },
}));

/** Each of the doors shows it. */
function comesOut(doors, wanted, send) {
  for (const { door, open } of doors) {
    test(`comes out at ${door}`, async (t) => {
      const place = fresh();
      const check = await open(t, yard, place, wanted);
      await check(await send(t, place));
    });
  }
}

for (const { send, way, ...wanted } of WAYS) {
  describe(way, () => comesOut(SOCKETS, wanted, (t, place) => send(t, yard, place)));
}

const [POLLING, WEBSOCKET] = CLIENTS;
for (const wanted of EMITTED) {
  describe(`${wanted.what}, emitted`, () => {
    comesOut([...DOORS, ...SOCKETS], wanted, (t, place) => emitted(t, place, wanted, WEBSOCKET));
  });
  describe(`${wanted.what}, by publish`, () => {
    comesOut([DOORS[1], SOCKETS[1]], wanted, (t, place) => published(t, place, wanted, POLLING));
  });
}

// How bytes travel depends on the client's version and on its carrier.
for (const client of CLIENTS.filter((one) => one !== WEBSOCKET)) {
  describe(`from ${client.client}`, () => {
    const wanted = EMITTED.at(-1);
    comesOut([...DOORS, SOCKETS[1]], wanted, (t, place) => emitted(t, place, wanted, client));
  });
}

// ---------------------------------------------------------------- and beside the table

test('a JSON array by POST is one argument', async (t) => {
  const place = fresh();
  const socket = await connected(t, server.base, WEBSOCKET, { query: { topic: place.topic } });
  await yard.posted(place, { headers: ['Content-Type: application/json'], body: '["one", 2]' });
  assert.deepEqual(await socket.next(), ['message', ['one', 2]]);
});

test('a room of clients of all versions, WebSocket, EventSource, long poll and POST sees one order', async (t) => {
  const place = fresh();
  const query = { topic: place.topic };
  const sockets = await Promise.all(CLIENTS.map((client) => connected(t, server.base, client, { query })));
  const peer = await webSocket(t, yard.socketUrl(place));
  const source = await eventSource(t, yard.url(place, '/sse'), ['message']);
  const since = await yard.posted(place, { body: 'the first' });
  const longPolled = yard.messages(place, `?since=${since}&wait=30&limit=1`);
  const said = Array.from({ length: 20 }, (_, n) => [
    ...sockets.map(({ ask }, at) => ask('message', `${n} by ${CLIENTS[at].client}`)),
    peer.socket.send(`${n} by WebSocket`),
    yard.posted(place, { body: `${n} by POST` }),
  ]);
  await Promise.all(said.flat());
  const count = 1 + 20 * (CLIENTS.length + 2);
  const order = [];
  for (let n = 0; n < count; n += 1) order.push(await peer.next());
  assert.equal(new Set(order).size, count);
  const poll = await longPolled;
  assert.deepEqual(poll.messages.map(({ data }) => data), [order[1]]);
  for (const [at, one] of order.entries()) {
    assert.equal((await source.next()).data, one, `${at} at EventSource`);
    for (const [who, socket] of sockets.entries()) {
      assert.deepEqual(await socket.next(), ['message', one], `${at} at ${CLIENTS[who].client}`);
    }
  }
});
