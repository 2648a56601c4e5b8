// A server that is killed and started again on its port: EventSource goes on by itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { curled, eventSource } from './clients.mjs';
import { Server } from './server.mjs';

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`EventSource goes on after ${signal}, and is told what it may have lost`, async (t) => {
    const server = await Server.start();
    t.after(() => server.end('SIGKILL'));
    const url = `${server.base}/topics/restart`;
    const post = async (body) => JSON.parse(await curled(['--data-binary', '@-', url], body)).id;
    const source = await eventSource(t, `${url}/sse`, ['message', 'gap']);
    const before = await post('before');
    assert.deepEqual(await source.next(), { type: 'message', data: 'before', lastEventId: before });

    await server.end(signal);
    await server.start();
    // Whether the source is back by now or not: what the old server held is gone.
    const between = await post('between');
    await source.opened();

    const told = await source.next();
    assert.equal(told.type, 'gap');
    assert.equal(JSON.parse(told.data).gap, true);
    assert.deepEqual(await source.next(), { type: 'message', data: 'between', lastEventId: between });
    const live = await post('live');
    assert.deepEqual(await source.next(), { type: 'message', data: 'live', lastEventId: live });
  });
}
