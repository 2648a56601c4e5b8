// npm ws as a server for our client: `node server.mjs COMMAND ARG…` starts the client with this
// server's URL as its last argument. The client plays Autobahn's game: it asks `/getCaseCount`,
// opens `/runCase?case=N` for each case and echoes what it gets there.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import { WebSocketServer } from 'ws';
import { Peer, within } from './peer.mjs';

const MIB = 1024 * 1024;
const KOREAN = '마당에 오신 것을 환영합니다 👋';
const TEXTS = ['', 'a', KOREAN, KOREAN.repeat(500), 'x'.repeat(65535), 'x'.repeat(65536)];

async function echoes(peer, messages) {
  for (const message of messages) {
    peer.send(message);
    assert.deepEqual(await peer.next(), message);
  }
}

const closing = (code) => ({
  name: `close ${code}`,
  async run(peer) {
    assert.equal((await peer.close(code, code === undefined ? undefined : '끝')).code, code ?? 1005);
  },
});

const compressed = (name, perMessageDeflate, agreed) => ({
  name: `compressed, ${name}`,
  perMessageDeflate: { threshold: 0, ...perMessageDeflate },
  async run(peer) {
    assert.match(peer.agreed, agreed);
    await echoes(peer, [...TEXTS, ...TEXTS, Buffer.alloc(200_000, 'compressible ')]);
    await peer.close(1000);
  },
});

const SCENARIOS = [
  {
    name: 'text',
    async run(peer) {
      await echoes(peer, TEXTS);
      await peer.close(1000);
    },
  },
  {
    name: 'binary',
    async run(peer) {
      await echoes(peer, [0, 1, 126, 65536, MIB - 1].map((size) => Buffer.alloc(size, size & 0xff)));
      await peer.close(1000);
    },
  },
  {
    name: 'fragments with a ping between them',
    async run(peer) {
      const bytes = Buffer.from(KOREAN);
      peer.send(bytes.subarray(0, 4), { fin: false, binary: false });
      assert.equal(String(await peer.ping('between')), 'between');
      peer.send(bytes.subarray(4), { fin: true });
      assert.equal(await peer.next(), KOREAN);
      await peer.close(1000);
    },
  },
  {
    name: 'many in flight',
    async run(peer) {
      for (let i = 0; i < 1000; i++) peer.send(String(i));
      for (let i = 0; i < 1000; i++) assert.equal(await peer.next(), String(i));
      await peer.close(1000);
    },
  },
  ...[undefined, 1000, 1001, 1008, 1011, 3000, 4999].map(closing),
  compressed('as the client offers', {}, /permessage-deflate/),
  compressed('server without context takeover', { serverNoContextTakeover: true }, /server_no_context_takeover/),
  compressed('client without context takeover', { clientNoContextTakeover: true }, /client_no_context_takeover/),
  compressed('server window of 10 bits', { serverMaxWindowBits: 10 }, /server_max_window_bits=10/),
  {
    name: 'fragments of a compressed message',
    perMessageDeflate: { threshold: 0 },
    async run(peer) {
      peer.send('first part, ', { fin: false, compress: true });
      peer.send('second part', { fin: true, compress: true });
      assert.equal(await peer.next(), 'first part, second part');
      await peer.close(1000);
    },
  },
  {
    name: 'a server that vanishes',
    async run(peer) {
      await echoes(peer, ['still here']);
      peer.socket.terminate();
      await peer.ended();
    },
  },
];

const results = new Map();

/** Plays one scenario on a socket that the client opened for it, with these answering headers. */
async function play(number, socket, headers) {
  const scenario = SCENARIOS[number];
  const peer = new Peer(socket);
  peer.agreed = headers.find((line) => line.startsWith('Sec-WebSocket-Extensions')) ?? 'no extension';
  try {
    await scenario.run(peer);
    results.set(number, undefined);
  } catch (error) {
    results.set(number, error);
    socket.terminate();
  }
}

const server = http.createServer((_, response) => response.writeHead(426).end());
server.on('upgrade', (request, stream, head) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  const number = Number(url.searchParams.get('case')) - 1;
  const counting = url.pathname === '/getCaseCount';
  const { perMessageDeflate = false } = (!counting && SCENARIOS[number]) || {};
  const door = new WebSocketServer({ noServer: true, perMessageDeflate });
  let answer = [];
  door.on('headers', (headers) => (answer = headers));
  door.handleUpgrade(request, stream, head, (socket) => {
    if (counting) {
      socket.send(String(SCENARIOS.length));
      socket.close(1000);
    } else if (url.pathname === '/runCase' && SCENARIOS[number]) {
      play(number, socket, answer);
    } else {
      socket.close(1000);
    }
  });
});

server.listen(0, '127.0.0.1', async () => {
  const [program, ...args] = process.argv.slice(2);
  const url = `ws://127.0.0.1:${server.address().port}`;
  const env = { ...process.env, AUTOBAHN_AGENT: 'madang' };
  const client = spawn(program, [...args, url], { stdio: 'inherit', env });
  const exit = new Promise((resolve) => client.on('exit', (code) => resolve(code)));
  client.on('error', (error) => {
    console.log(`the client does not start: ${error.message}`);
    process.exit(1);
  });
  let failed = 0;
  const code = await within(exit, 'end of the client', 60_000).catch((error) => error.message);
  client.kill();
  SCENARIOS.forEach(({ name }, number) => {
    const error = results.has(number) ? results.get(number) : new Error('was not played to its end');
    failed += error ? 1 : 0;
    console.log(`${error ? 'FAIL' : 'ok  '} ${name}${error ? `: ${error.message}` : ''}`);
  });
  if (code !== 0) console.log(`FAIL the client ended with ${code}`);
  console.log(`${SCENARIOS.length - failed} of ${SCENARIOS.length} scenarios passed`);
  process.exit(failed > 0 || code !== 0 ? 1 : 0);
});
