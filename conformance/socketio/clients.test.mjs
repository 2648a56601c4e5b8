// What users of Socket.IO rely on: each version of the client, by each carrier, against `madang serve`.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { webSocket } from '../doors/clients.mjs';
import { Server } from '../doors/server.mjs';
import { BYTES, ID, TEXT, Yard, fresh } from '../doors/table.mjs';
import { CLIENTS, OTHER, beside, connected } from './clients.mjs';

let server;
let secure;
let yard;
before(async () => {
  [server, secure] = await Promise.all([Server.start(), Server.start(['--tls-self-signed'])]);
  yard = new Yard(server);
});
after(() => Promise.all([server, secure].map((one) => one.end('SIGTERM'))));

const LARGE = 'ㅁ'.repeat(200_000); // 600,000 bytes

/** Two in a topic of their own: the client and another. */
async function both(t, base, client, events) {
  const query = { topic: fresh().topic };
  return [await connected(t, base, client, { query, events }), await connected(t, base, OTHER, { query, events })];
}

/** The event comes to all of them, with these arguments. */
async function all(clients, event, ...args) {
  for (const client of clients) assert.deepEqual(await client.next(), [event, ...args]);
}

/** What is to work by any carrier, plain or over TLS. */
const EVERYWHERE = {
  async 'an event goes to the others and comes back, under its name'(t, base, client) {
    const [a, b] = await both(t, base, client, ['message', 'chat message']);
    assert.notEqual(a.socket.id, b.socket.id);
    assert.equal(a.transport, client.transports.at(-1));
    a.emit('chat message', TEXT);
    await all([a, b], 'chat message', TEXT);
    b.emit('message', { n: 1.5, '한': [null, true] });
    await all([a, b], 'message', { n: 1.5, '한': [null, true] });
    a.emit('message', [1, 2]);
    await all([a, b], 'message', [1, 2]);
  },

  async 'several arguments come as they were, Buffers among them'(t, base, client) {
    const [a, b] = await both(t, base, client);
    const args = ['one', 2, null, { three: [BYTES, { 넷: Buffer.from('four') }] }, [], Buffer.alloc(0), false];
    a.emit('message', ...args);
    await all([a, b], 'message', ...args);
    b.emit('message', ...args);
    await all([a, b], 'message', ...args);
  },

  async 'bytes go both ways, alone and with more'(t, base, client) {
    const [a, b] = await both(t, base, client);
    for (const from of [a, b]) {
      from.emit('message', BYTES);
      await all([a, b], 'message', BYTES);
      from.emit('message', { name: '그림', data: BYTES });
      await all([a, b], 'message', { name: '그림', data: BYTES });
    }
  },

  async 'what is large comes whole, and in its order'(t, base, client) {
    const [a, b] = await both(t, base, client);
    const bytes = Buffer.alloc(500_000, BYTES);
    // One at a time: several in one request are more than a request may have, and several that wait for
    // the next poll are more than may wait for a client.
    for (const one of [LARGE, bytes, 'small', LARGE]) {
      a.emit('message', one);
      await all([a, b], 'message', one);
    }
    b.emit('message', bytes, LARGE.slice(0, 100_000));
    await all([a, b], 'message', bytes, LARGE.slice(0, 100_000));
  },

  async 'many at once are acknowledged, each once and in one order'(t, base, client) {
    const [a, b] = await both(t, base, client);
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const ids = await Promise.all(numbers.map((n) => a.ask('message', n)));
    assert.equal(new Set(ids).size, 100);
    for (const n of numbers) await all([a, b], 'message', n);
  },
};

/** And what needs another door to be seen. */
const PLAIN = {
  async 'an acknowledgement is the id of the publication'(t, base, client) {
    const place = fresh();
    const a = await connected(t, base, client, { query: { topic: place.topic } });
    const one = await a.ask('message', 'one');
    const two = await a.ask('message', 'two', { and: BYTES });
    const three = await a.ask('message');
    const four = await a.ask('publish', place.topic, 'message', BYTES);
    for (const id of [one, two, three, four]) assert.match(id, ID);
    const { messages } = await yard.messages(place);
    assert.deepEqual(messages.map(({ id }) => id), [one, two, three, four]);
    assert.deepEqual(messages.map(({ data }) => data), [
      'one',
      ['two', { and: BYTES.toString('base64') }],
      '',
      BYTES.toString('base64'),
    ]);
  },

  async 'without ?topic= it is the lobby'(t, base, client) {
    const peer = await webSocket(t, `${base}/ws`);
    const a = await connected(t, base, client);
    const text = `${client.client}, ${process.pid}`;
    a.emit('message', text);
    assert.deepEqual(await a.next(), ['message', text]);
    assert.equal(await peer.next(), text);
  },

  async 'join, leave and publish'(t, base, client) {
    const [own, room] = [fresh().topic, fresh().topic];
    const a = await connected(t, base, client, { query: { topic: own }, events: ['message', 'news'] });
    const b = await connected(t, base, OTHER, { query: { topic: fresh().topic }, events: ['news'] });
    // Nobody has to be in a room to publish there.
    assert.match(await b.ask('publish', room, 'news', 'too early'), ID);
    assert.equal(await a.ask('join', room), 'ok');
    assert.match(await b.ask('publish', room, 'news', 'read', 'all about it'), ID);
    assert.deepEqual(await a.next(), ['news', 'read', 'all about it']);
    assert.equal(await b.ask('join', room), 'ok');
    a.emit('publish', room, 'news', BYTES);
    await all([a, b], 'news', BYTES);
    assert.equal(await a.ask('leave', room), 'ok');
    assert.match(await b.ask('publish', room, 'news', 'not for a'), ID);
    await all([b], 'news', 'not for a');
    a.emit('message', 'in its own topic');
    assert.deepEqual(await a.next(), ['message', 'in its own topic']);
  },

  async 'what cannot be published is said in the acknowledgement'(t, base, client) {
    const a = await connected(t, base, client, { query: { topic: fresh().topic } });
    for (const args of [['madang.ours', 'message', 'no'], ['', 'message', 'no'], ['x'.repeat(256), 'message', 'no'], [7, 'message']]) {
      const answer = await a.ask('publish', ...args);
      assert.deepEqual(Object.keys(answer), ['error'], JSON.stringify(answer));
      assert.equal(typeof answer.error, 'string');
      assert.notEqual(answer.error, '');
    }
    a.emit('message', 'and it goes on');
    assert.deepEqual(await a.next(), ['message', 'and it goes on']);
  },

  async 'a room of a namespace is the topic below its name'(t, base, client) {
    const room = fresh().topic;
    const place = { topic: `ns/${room}`, segment: encodeURIComponent(`ns/${room}`) };
    const peer = await webSocket(t, yard.socketUrl(place));
    const a = await connected(t, base, client, { query: { topic: fresh().topic } });
    const inside = await beside(t, a, '/ns');
    assert.equal(await a.ask('join', room), 'ok');
    assert.equal(await inside.ask('join', room), 'ok');
    const id = await inside.ask('publish', room, 'message', 'inside');
    assert.deepEqual(await inside.next(), ['message', 'inside']);
    assert.equal(await peer.next(), 'inside');
    assert.deepEqual((await yard.messages(place)).messages.map((one) => one.id), [id]);
    // The same room of the other namespace has heard nothing of it.
    await a.ask('publish', room, 'message', 'outside');
    assert.deepEqual(await a.next(), ['message', 'outside']);
    // To leave a namespace is not to leave the others.
    inside.socket.disconnect();
    peer.socket.send('nobody inside');
    await a.ask('publish', room, 'message', 'still here');
    assert.deepEqual(await a.next(), ['message', 'still here']);
  },

  async 'presence shows the name, and that it has gone'(t, base, client) {
    const place = fresh();
    const peer = await webSocket(t, yard.socketUrl(place, '?presence=1&name=Peer'));
    const event = async () => {
      const { event, user, count } = JSON.parse(await peer.next());
      return [event, user, count];
    };
    assert.deepEqual(await event(), ['join', 'Peer', 1]);
    const a = await connected(t, base, client, { query: { topic: place.topic, name: '지우' } });
    assert.deepEqual(await event(), ['join', '지우', 2]);
    a.socket.disconnect();
    assert.deepEqual(await event(), ['leave', '지우', 1]);
  },
};

for (const client of CLIENTS) {
  describe(client.client, () => {
    for (const [what, run] of Object.entries(EVERYWHERE)) {
      test(what, (t) => run(t, server.base, client));
      test(`over TLS, ${what}`, (t) => run(t, secure.base, client));
    }
    for (const [what, run] of Object.entries(PLAIN)) test(what, (t) => run(t, server.base, client));
  });
}
