// Each cell of the table of doors: what goes in by WebSocket or POST comes out at every door as it says.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { curlStream, eventSource, webSocket } from './clients.mjs';
import { Server } from './server.mjs';
import { DOORS, WAYS, Yard, fresh } from './table.mjs';

let server;
let yard;
before(async () => {
  server = await Server.start();
  yard = new Yard(server);
});
after(() => server.end('SIGTERM'));

for (const way of WAYS) {
  describe(way.way, () => {
    for (const { door, open } of DOORS) {
      test(`comes out at ${door}`, async (t) => {
        const place = fresh();
        const check = await open(t, yard, place, way);
        await check(await way.send(t, yard, place));
      });
    }
  });
}

// ---------------------------------------------------------------- and beside the table

test('the headers of a message come out wherever there is JSON', async (t) => {
  const place = fresh();
  const peer = await webSocket(t, yard.socketUrl(place, '?envelope=json'));
  const stream = await curlStream(t, yard.url(place, '/stream'), '\n');
  await yard.posted(place, { headers: ['Content-Type: text/plain', 'X-Message-Colour: red'], body: 'hi' });
  const answer = await yard.messages(place);
  for (const message of [JSON.parse(await peer.next()), JSON.parse(await stream.next()), answer.messages[0]]) {
    assert.equal(message.data, 'hi');
    assert.deepEqual(message.headers, { colour: 'red' });
  }
});

test('a batch is a message a line, in its order, at every door', async (t) => {
  const place = fresh();
  const peer = await webSocket(t, yard.socketUrl(place));
  const source = await eventSource(t, yard.url(place, '/sse'), ['tick']);
  const headers = ['Content-Type: application/x-ndjson'];
  const lines = ['1', '{"two":2}', '"셋"'];
  const { ids } = await yard.post(place, { query: '?event=tick', headers, body: lines.join('\n') });
  assert.equal(ids.length, 3);
  for (const [number, line] of lines.entries()) {
    assert.equal(await peer.next(), line);
    assert.deepEqual(await source.next(), { type: 'tick', data: line, lastEventId: ids[number] });
  }
  const { messages, next } = await yard.messages(place);
  assert.deepEqual(messages.map(({ data }) => data), lines.map((line) => JSON.parse(line)));
  assert.equal(next, ids[2]);
});
