// A mixed room: the cells of the table of doors that have Socket.IO on one side, or on both.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventSource, webSocket } from '../doors/clients.mjs';
import { Server } from '../doors/server.mjs';
import { BODIES, BYTES, DOORS, ID, JSON_TEXT, TEXT, WAYS, Yard, fresh } from '../doors/table.mjs';
import { CLIENTS, OTHER, beside, connected } from './clients.mjs';

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

/** A client in a room of a namespace, beside the main one, and the topic that this is. */
async function inNamespace(t, client) {
  const room = fresh().topic;
  const place = { topic: `ns/${room}`, segment: encodeURIComponent(`ns/${room}`) };
  const main = await connected(t, server.base, client, { query: { topic: fresh().topic } });
  const inside = await beside(t, main, '/ns');
  assert.equal(await inside.ask('join', room), 'ok');
  return { place, main, inside, room };
}

for (const client of CLIENTS) {
  describe(client.client, () => {
    test('a room of a namespace hears what is published to its topic, and is heard there', async (t) => {
      const { place, inside, room } = await inNamespace(t, client);
      const peer = await webSocket(t, yard.socketUrl(place));
      for (const { type, body, value } of BODIES) {
        await yard.posted(place, { headers: [`Content-Type: ${type}`], body });
        assert.deepEqual(await inside.next(), ['message', value ?? body]);
        assert.deepEqual(await peer.next(), body);
      }
      await inside.ask('publish', room, 'message', BYTES, 'and', NESTED);
      assert.deepEqual(await inside.next(), ['message', BYTES, 'and', NESTED]);
      assert.deepEqual(JSON.parse(await peer.next()), [base64, 'and', PLAIN_NESTED]);
    });

    test('one connection may be in a topic by two namespaces', async (t) => {
      const { place, main, inside, room } = await inNamespace(t, client);
      assert.equal(await main.ask('join', place.topic), 'ok');
      await yard.posted(place, { body: 'to both' });
      for (const one of [main, inside]) assert.deepEqual(await one.next(), ['message', 'to both']);
      await main.ask('publish', place.topic, 'message', BYTES, 2);
      for (const one of [main, inside]) assert.deepEqual(await one.next(), ['message', BYTES, 2]);
      assert.equal(await inside.ask('leave', room), 'ok');
      await yard.posted(place, { body: 'to one' });
      assert.deepEqual(await main.next(), ['message', 'to one']);
      assert.equal(await inside.ask('join', room), 'ok');
      await yard.posted(place, { body: 'to both again' });
      for (const one of [main, inside]) assert.deepEqual(await one.next(), ['message', 'to both again']);
    });

    test('?since= brings first what was published before', async (t) => {
      const place = fresh();
      for (const { type, body } of BODIES) await yard.posted(place, { headers: [`Content-Type: ${type}`], body });
      const told = await connected(t, server.base, OTHER, { query: { topic: place.topic } });
      const id = await told.ask('message', 'one', BYTES);
      await told.ask('message', NESTED);
      const wanted = [...BODIES.map(({ value, body }) => [value ?? body]), ['one', BYTES], [NESTED]];
      const all = await connected(t, server.base, client, { query: { topic: place.topic, since: 'earliest' } });
      const rest = await connected(t, server.base, client, { query: { topic: place.topic, since: id } });
      for (const args of wanted) assert.deepEqual(await all.next(), ['message', ...args]);
      assert.deepEqual(await rest.next(), ['message', NESTED]);
      told.emit('message', 'live');
      for (const one of [all, rest]) assert.deepEqual(await one.next(), ['message', 'live']);
    });

    test('a publication whose event has a name that clients keep for themselves does no harm', async (t) => {
      const place = fresh();
      const socket = await connected(t, server.base, client, { query: { topic: place.topic } });
      for (const event of ['connect', 'disconnect', 'error', 'connect_error', 'disconnecting', 'newListener']) {
        await yard.posted(place, { query: `?event=${event}`, body: event });
        assert.equal(socket.socket.connected, true, event);
      }
      await yard.posted(place, { body: 'the end' });
      const came = [];
      do came.push(await socket.next());
      while (came.at(-1)[1] !== 'the end');
      assert.equal(socket.socket.connected, true);
      assert.deepEqual(came[0], ['message', 'connect']);
    });
  });
}

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
