// socket.io-client in the versions that people have, by each way in which they connect.

import { io as io4 } from 'socket.io-client';
import io2 from 'socket.io-client-v2';
import io3 from 'socket.io-client-v3';
import { Inbox, within } from '../doors/clients.mjs';

/** Versions 4 and 3 speak Engine.IO 4, version 2 speaks Engine.IO 3. */
export const VERSIONS = [
  { version: 'socket.io-client 4.8', io: io4 },
  { version: 'socket.io-client 3.1', io: io3 },
  { version: 'socket.io-client 2.5', io: io2 },
];

export const CARRIERS = [
  { carrier: 'polling', transports: ['polling'] },
  { carrier: 'websocket', transports: ['websocket'] },
  { carrier: 'polling, then websocket', transports: ['polling', 'websocket'] },
];

/** Each version by each carrier. */
export const CLIENTS = VERSIONS.flatMap(({ version, io }) =>
  CARRIERS.map(({ carrier, transports }) => ({ client: `${version} by ${carrier}`, io, transports })),
);

/** The one that is there to be met by the others. */
export const OTHER = CLIENTS[1];

/**
 * A client that is connected, and over to its last transport. `events` are those that it listens for; each
 * comes as an array of its name and arguments.
 */
export async function connected(t, base, { io, transports }, { query = {}, events = ['message'], namespace = '/', ...more } = {}) {
  // The self-signed certificate of a server of ours.
  const options = { transports, query, forceNew: true, reconnection: false, rejectUnauthorized: false, ...more };
  const socket = io(base + (namespace === '/' ? '' : namespace), options);
  t.after(() => socket.close());
  const client = around(socket, events);
  const { engine } = socket.io;
  let upgraded;
  if (transports.length > 1) upgraded = new Promise((resolve) => engine.once('upgrade', resolve));
  await client.connect();
  await within(Promise.resolve(upgraded), 'upgrade');
  return client;
}

/** The same around the socket of another namespace on one connection. */
export async function beside(t, client, namespace, events = ['message']) {
  const socket = client.socket.io.socket(namespace);
  t.after(() => socket.close());
  const other = around(socket, events);
  await other.connect();
  return other;
}

function around(socket, events) {
  const inbox = new Inbox();
  for (const event of events) socket.on(event, (...args) => inbox.put([event, ...args]));
  return {
    socket,
    /** Where it is connected, or as soon as it is. */
    async connect() {
      if (socket.connected) return;
      const connected = new Promise((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('connect_error', reject);
        socket.once('error', reject); // what version 2 says of a refused namespace
      });
      await within(connected, 'connection');
    },
    next: () => inbox.next('event'),
    emit: (...event) => socket.emit(...event),
    /** Emits, and returns what the acknowledgement says. */
    async ask(...event) {
      const answer = new Promise((resolve) => socket.emit(...event, (...args) => resolve(args)));
      const args = await within(answer, `acknowledgement of ${event[0]}`);
      if (args.length !== 1) throw new Error(`the acknowledgement has ${args.length} values`);
      return args[0];
    },
    /** The name of the transport that carries it now. */
    get transport() {
      return socket.io.engine.transport.name;
    },
    /** Returns once the connection is lost. */
    lost: () => within(new Promise((resolve) => socket.once('disconnect', resolve)), 'disconnect'),
  };
}
