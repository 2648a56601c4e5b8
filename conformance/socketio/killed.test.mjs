// Clients that are gone without a word: the heartbeat finds out, and presence tells.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { webSocket, within } from '../doors/clients.mjs';
import { Server } from '../doors/server.mjs';
import { Yard, fresh } from '../doors/table.mjs';
import { CLIENTS } from './clients.mjs';

let server;
let yard;
before(async () => {
  server = await Server.start(['--socketio-ping-interval', '1', '--socketio-ping-timeout', '1']);
  yard = new Yard(server);
});
after(() => server.end('SIGTERM'));

const LONE = fileURLToPath(new URL('lone.mjs', import.meta.url));

describe('presence tells of a client that was killed', { concurrency: 3 }, () => {
  for (const [at, { client }] of CLIENTS.entries()) {
    test(client, async (t) => {
      const place = fresh();
      const peer = await webSocket(t, yard.socketUrl(place, '?presence=1&name=Peer'));
      const event = async () => {
        const { event, count } = JSON.parse(await peer.next());
        return [event, count];
      };
      assert.deepEqual(await event(), ['join', 1]);
      const lone = spawn(process.execPath, [LONE, String(at), server.base, place.topic], { stdio: ['ignore', 'pipe', 'inherit'] });
      t.after(() => lone.kill('SIGKILL'));
      assert.deepEqual(await event(), ['join', 2]);
      await within(once(lone.stdout, 'data'), 'word of the client');
      lone.kill('SIGKILL');
      assert.deepEqual(await event(), ['leave', 1]);
    });
  }
});
