// A server that goes and comes back on its port: the clients find their way by themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../doors/clients.mjs';
import { Server } from '../doors/server.mjs';
import { fresh } from '../doors/table.mjs';
import { CLIENTS, connected } from './clients.mjs';

const HASTE = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200, randomizationFactor: 0 };

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`every client is back after ${signal}, in its topic`, async (t) => {
    const server = await Server.start();
    t.after(() => server.end('SIGKILL'));
    const query = { topic: fresh().topic };
    const clients = [];
    for (const client of CLIENTS) clients.push(await connected(t, server.base, client, { query, ...HASTE }));
    const ids = clients.map(({ socket }) => socket.id);
    await clients[0].ask('message', 'before');
    for (const client of clients) assert.deepEqual(await client.next(), ['message', 'before']);

    const lost = clients.map((client) => client.lost());
    // Each connects once: `connect` must be awaited before it can come.
    const back = clients.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve)));
    await server.end(signal);
    await Promise.all(lost);
    await server.start();
    for (const [at, one] of back.entries()) await within(one, `return of ${CLIENTS[at].client}`);
    for (const [at, { socket }] of clients.entries()) assert.notEqual(socket.id, ids[at], CLIENTS[at].client);

    for (const [at, from] of clients.entries()) {
      await from.ask('message', `after ${at}`);
      for (const client of clients) assert.deepEqual(await client.next(), ['message', `after ${at}`]);
    }
  });
}
