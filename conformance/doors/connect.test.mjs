// `madang connect --as …` against other people's servers: npm socket.io, and a STOMP broker from npm.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Server as SocketIo } from 'socket.io';
import StompBroker from 'stomp-broker-js';
import { Inbox, within } from './clients.mjs';

/** The program in a pipe: lines go in, and come out as JSON. */
class Connect {
  #child;
  #lines = new Inbox();
  #errors = '';

  constructor(t, ...args) {
    this.#child = spawn(process.env.MADANG_BIN, ['connect', '--json', ...args]);
    t.after(() => this.#child.kill('SIGKILL'));
    let rest = '';
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.#lines.put(JSON.parse(line));
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.#errors += text));
  }

  write(...lines) {
    this.#child.stdin.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The next line of its output. */
  next() {
    return this.#lines.next('line of madang connect');
  }

  /** Ends its input; its exit code, and what it told. */
  async end() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await within(once(this.#child, 'close'), 'end of madang connect');
    return { code: this.#child.exitCode, errors: this.#errors };
  }
}

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

describe('Socket.IO', () => {
  const http = createServer();
  // Often, so that the test sees pings answered.
  const io = new SocketIo(http, { pingInterval: 100, pingTimeout: 5_000 });
  let url;
  before(async () => {
    url = `ws://127.0.0.1:${await listening(http)}`;
  });
  after(() => io.close());

  /** The server's end of the next connection to a namespace. */
  const joined = (namespace) =>
    within(new Promise((resolve) => io.of(namespace).once('connection', resolve)), 'connection');

  test('events go both ways, with all kinds of JSON and bytes', async (t) => {
    const connection = joined('/');
    const client = new Connect(t, '--as', 'socketio', url);
    const socket = await connection;
    const heard = new Inbox();
    socket.onAny((...args) => heard.put(args));
    client.write('/emit chat "안녕 \\"hi\\"" {"n":1.5,"deep":[null,true]}', '/emit said as one text', 'just a line');
    assert.deepEqual(await heard.next(), ['chat', '안녕 "hi"', { n: 1.5, deep: [null, true] }]);
    assert.deepEqual(await heard.next(), ['said', 'as one text']);
    assert.deepEqual(await heard.next(), ['message', 'just a line']);
    socket.emit('news', 'été', 7, { at: Buffer.from([0, 255]) }, Buffer.from('bytes'));
    const news = { kind: 'event', event: 'news' };
    const data = ['été', 7, { at: { base64: 'AP8=' } }, { base64: 'Ynl0ZXM=' }];
    assert.deepEqual(await client.next(), { ...news, data });
    assert.deepEqual(await client.end().then(({ code }) => code), 0);
  });

  test('acks are shown and given', async (t) => {
    const connection = joined('/');
    const client = new Connect(t, '--as', 'socketio', url);
    const socket = await connection;
    socket.on('sum', (a, b, answer) => answer(a + b));
    client.write('/call sum 20 22');
    assert.deepEqual(await client.next(), { kind: 'ack', data: [42], id: 0, event: 'sum' });
    const answer = socket.timeout(10_000).emitWithAck('well?', 1);
    const { id, ...asked } = await client.next();
    assert.deepEqual(asked, { kind: 'event', data: [1], event: 'well?' });
    client.write(`/ack ${id} "very well"`);
    assert.equal(await answer, 'very well');
    assert.equal((await client.end()).code, 0);
  });

  test('rooms of a server that has join, leave and publish', async (t) => {
    const serve = (socket) => {
      socket.on('join', (room, ack) => (socket.join(room), ack('in')));
      socket.on('leave', (room, ack) => (socket.leave(room), ack('out')));
      socket.on('publish', (room, event, ...args) => {
        const ack = args.pop();
        io.of('/yard').to(room).emit(event, ...args);
        ack();
      });
    };
    io.of('/yard').on('connection', serve);
    const args = ['--as', 'socketio', '--namespace', '/yard', url];
    const [ana, ben] = [new Connect(t, ...args), new Connect(t, ...args)];
    for (const one of [ana, ben]) {
      one.write('/join kitchen');
      assert.deepEqual((await one.next()).data, ['in']);
    }
    ana.write('/publish kitchen soup "ready" {"bowls":3}');
    assert.deepEqual(await ben.next(), { kind: 'event', data: ['ready', { bowls: 3 }], event: 'soup' });
    ben.write('/leave kitchen');
    assert.deepEqual((await ben.next()).data, ['out']);
    for (const one of [ana, ben]) assert.equal((await one.end()).code, 0);
  });

  test('a namespace that wants a token lets in who has it, and nobody else', async (t) => {
    io.of('/secret').use((socket, next) => {
      next(socket.handshake.auth.token === 'right' ? undefined : new Error('the token is wrong'));
    });
    const args = ['--as', 'socketio', '--namespace', '/secret', url];
    const connection = joined('/secret');
    const client = new Connect(t, ...args, '--auth', '{"token":"right"}');
    const socket = await connection;
    const gone = once(socket, 'disconnect');
    assert.equal((await client.end()).code, 0);
    // It said goodbye, and did not merely go away.
    assert.deepEqual((await gone)[0], 'client namespace disconnect');
    const refused = await new Connect(t, ...args, '--auth', '{"token":"wrong"}').end();
    assert.equal(refused.code, 8);
    assert.match(refused.errors, /the namespace \/secret refuses us: the token is wrong/);
  });

  test('pings of the server are answered', async (t) => {
    const connection = joined('/');
    const client = new Connect(t, '--as', 'socketio', url);
    const socket = await connection;
    for (let n = 0; n < 5; n += 1) await within(once(socket.conn, 'heartbeat'), 'answer to a ping');
    socket.emit('still here');
    assert.equal((await client.next()).event, 'still here');
    socket.disconnect();
    const { code, errors } = await client.end();
    assert.equal(code, 4);
    assert.match(errors, /the server ended the session of Socket\.IO/);
  });
});

// This broker counts characters where it should count bytes, so that its texts are ASCII.
describe('STOMP', () => {
  const http = createServer();
  const broker = new StompBroker({ server: http, path: '/stomp', heartbeat: [0, 0] });
  let url;
  before(async () => {
    url = `ws://127.0.0.1:${await listening(http)}/stomp`;
  });
  after(() => {
    http.close();
    http.closeAllConnections();
  });

  /** Waits until the broker has taken a subscription. */
  const subscribed = () => within(new Promise((resolve) => broker.once('subscribe', resolve)), 'subscription');

  test('what one sends others get, until they unsubscribe', async (t) => {
    const [ana, ben] = [new Connect(t, '--as', 'stomp', url), new Connect(t, '--as', 'stomp', url)];
    let taken = subscribed();
    ben.write('/subscribe /kitchen.soup');
    await taken;
    ana.write('/send /kitchen.soup -H priority:9 the soup  is ready', 'a second line', '{"bowls":3}');
    const { kind, data, headers } = await ben.next();
    assert.deepEqual([kind, data], ['message', 'the soup  is ready']);
    assert.equal(headers.destination, '/kitchen.soup');
    assert.equal(headers.priority, '9');
    assert.equal(headers['content-type'], 'text/plain;charset=utf-8');
    assert.equal((await ben.next()).data, 'a second line');
    const json = await ben.next();
    assert.deepEqual([json.data, json.headers['content-type']], ['{"bowls":3}', 'application/json']);
    ben.write('/unsubscribe /kitchen.soup');
    taken = subscribed();
    ben.write('/subscribe /other');
    await taken;
    ana.write('not for Ben', '/send /other for Ben');
    assert.equal((await ben.next()).data, 'for Ben');
    for (const one of [ana, ben]) assert.equal((await one.end()).code, 0);
  });

  test('a command that makes no sense ends a script, with its line', async (t) => {
    const client = new Connect(t, '--as', 'stomp', url);
    client.write('/subscribe /a', '/nonsense');
    const { code, errors } = await client.end();
    assert.equal(code, 1);
    assert.match(errors, /line 2: there is no command \/nonsense/);
  });
});
