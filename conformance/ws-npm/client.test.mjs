// npm ws as a client: ECHO_URL echoes every message, SERVE_URL is `madang serve`.

import assert from 'node:assert/strict';
import net from 'node:net';
import { after, describe, test } from 'node:test';
import { open, within } from './peer.mjs';

const { ECHO_URL, SERVE_URL } = process.env;
assert.ok(ECHO_URL && SERVE_URL, 'ECHO_URL and SERVE_URL say where the servers are');

const MIB = 1024 * 1024;
const KOREAN = '마당에 오신 것을 환영합니다 👋';

let topics = 0;
const topic = () => `npm-${process.pid}-${++topics}`;

/** Opens a socket that is cut at the end of the test. */
async function opened(t, url, protocols, options) {
  const peer = await open(url, protocols, options);
  t.after(() => peer.socket.terminate());
  return peer;
}

/** Bytes without a pattern that would compress. */
function noise(size) {
  const bytes = Buffer.alloc(size);
  let x = 0x2545f491;
  for (let i = 0; i < size; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

describe('echo', () => {
  const plain = { perMessageDeflate: false };

  test('text and binary of all sizes come back as they went', async (t) => {
    const peer = await opened(t, ECHO_URL, [], plain);
    for (const size of [0, 1, 125, 126, 127, 65535, 65536, MIB - 1]) {
      const bytes = noise(size);
      peer.send(bytes);
      assert.ok(bytes.equals(await peer.next()), `${size} bytes`);
      const text = 'a'.repeat(size);
      peer.send(text);
      assert.equal(await peer.next(), text);
    }
    peer.send(KOREAN);
    assert.equal(await peer.next(), KOREAN);
  });

  test('fragments become one message, with a ping between them', async (t) => {
    const peer = await opened(t, ECHO_URL, [], plain);
    const bytes = Buffer.from(KOREAN);
    // The cut is inside a character.
    peer.send(bytes.subarray(0, 4), { fin: false, binary: false });
    assert.equal(String(await peer.ping('between')), 'between');
    peer.send(bytes.subarray(4, 5), { fin: false });
    peer.send(bytes.subarray(5), { fin: true });
    assert.equal(await peer.next(), KOREAN);
  });

  test('many messages in flight keep their order', async (t) => {
    const peer = await opened(t, ECHO_URL, [], plain);
    for (let i = 0; i < 2000; i++) peer.send(String(i));
    for (let i = 0; i < 2000; i++) assert.equal(await peer.next(), String(i));
  });

  test('pings are answered with their payload', async (t) => {
    const peer = await opened(t, ECHO_URL, [], plain);
    for (const data of ['', 'hello', 'x'.repeat(125)]) {
      assert.equal(String(await peer.ping(data)), data);
    }
  });

  for (const code of [1000, 1001, 1003, 1007, 1011, 3000, 4999]) {
    test(`close ${code} is echoed`, async () => {
      const peer = await open(ECHO_URL, [], plain);
      const ended = await peer.close(code, '안녕');
      assert.equal(ended.code, code);
    });
  }

  test('a close without a code is answered without one', async () => {
    const peer = await open(ECHO_URL, [], plain);
    assert.equal((await peer.close()).code, 1005);
  });
});

describe('compression', () => {
  const offers = {
    'as offered by default': {},
    'server without context takeover': { serverNoContextTakeover: true },
    'client without context takeover': { clientNoContextTakeover: true },
    'neither with context takeover': { serverNoContextTakeover: true, clientNoContextTakeover: true },
    'client window of 9 bits': { clientMaxWindowBits: 9 },
    'server window of 9 bits': { serverMaxWindowBits: 9 },
    'server window of 12 bits': { serverMaxWindowBits: 12 },
  };
  for (const [name, offer] of Object.entries(offers)) {
    test(name, async (t) => {
      const perMessageDeflate = { threshold: 0, ...offer };
      const peer = await opened(t, ECHO_URL, [], { perMessageDeflate });
      assert.match(peer.socket.extensions, /permessage-deflate/);
      const texts = ['', KOREAN, KOREAN.repeat(50), JSON.stringify({ list: Array(2000).fill('madang') })];
      for (const text of [...texts, ...texts]) {
        peer.send(text);
        assert.equal(await peer.next(), text);
      }
      const bytes = noise(70_000);
      peer.send(bytes);
      assert.ok(bytes.equals(await peer.next()));
      const long = Buffer.alloc(MIB - 1, 'compressible ');
      peer.send(long);
      assert.ok(long.equals(await peer.next()));
    });
  }

  test('fragments of one compressed message', async (t) => {
    const peer = await opened(t, ECHO_URL, [], { perMessageDeflate: { threshold: 0 } });
    peer.send('first part, ', { fin: false, compress: true });
    peer.send('second part', { fin: true, compress: true });
    assert.equal(await peer.next(), 'first part, second part');
  });
});

describe('topics', () => {
  test('a message goes to everybody in the topic, its sender included, and to nobody else', async (t) => {
    const [name, other] = [topic(), topic()];
    const [a, b, stranger] = await Promise.all(
      [name, name, other].map((n) => opened(t, `${SERVE_URL}/ws/${n}`)),
    );
    a.send('text');
    assert.equal(await a.next(), 'text');
    assert.equal(await b.next(), 'text');
    const bytes = noise(1000);
    b.send(bytes);
    assert.ok(bytes.equals(await a.next()));
    assert.ok(bytes.equals(await b.next()));
    stranger.send('own');
    assert.equal(await stranger.next(), 'own');
  });

  test('/ws is the lobby', async (t) => {
    const short = await opened(t, `${SERVE_URL}/ws`);
    const long = await opened(t, `${SERVE_URL}/ws/lobby`);
    const text = `to the lobby ${process.pid}`;
    short.send(text);
    assert.equal(await long.next(), text);
  });

  test('everybody sees the same order', async (t) => {
    const name = topic();
    const peers = await Promise.all([1, 2, 3, 4].map(() => opened(t, `${SERVE_URL}/ws/${name}`)));
    const count = 200;
    for (let i = 0; i < count; i++) peers.forEach((peer, who) => peer.send(`${who}:${i}`));
    const seen = [];
    for (const peer of peers) {
      const list = [];
      for (let i = 0; i < count * peers.length; i++) list.push(await peer.next());
      seen.push(list.join());
    }
    assert.equal(new Set(seen).size, 1);
  });

  test('a message of the largest size passes, a larger one closes with 1009', async (t) => {
    const peer = await opened(t, `${SERVE_URL}/ws/${topic()}`);
    const largest = Buffer.alloc(MIB, 7);
    peer.send(largest);
    assert.ok(largest.equals(await peer.next()));
    peer.send(Buffer.alloc(MIB + 1));
    assert.equal((await peer.ended()).code, 1009);
  });

  test('the envelope tells topic, id, event and data', async (t) => {
    const name = topic();
    const peer = await opened(t, `${SERVE_URL}/ws/${name}?envelope=json`);
    peer.send(KOREAN);
    const first = await peer.json();
    assert.equal(first.topic, name);
    assert.equal(first.event, 'message');
    assert.equal(first.data, KOREAN);
    assert.match(first.id, /^.+-\d+$/);
    peer.send('next');
    const second = await peer.json();
    const sequence = (id) => Number(id.slice(id.lastIndexOf('-') + 1));
    assert.equal(sequence(second.id), sequence(first.id) + 1);
  });

  test('a binary body in the envelope is head length, head, bytes', async (t) => {
    const name = topic();
    const peer = await opened(t, `${SERVE_URL}/ws/${name}?envelope=json`);
    const bytes = noise(300);
    peer.send(bytes);
    const frame = await peer.next();
    assert.ok(Buffer.isBuffer(frame), 'a binary frame');
    const length = frame.readUInt32BE(0);
    const head = JSON.parse(frame.subarray(4, 4 + length).toString('utf8'));
    assert.equal(head.topic, name);
    assert.ok(bytes.equals(frame.subarray(4 + length)));
  });

  test('an encoded slash is part of the name', async (t) => {
    const name = `ns/${topic()}`;
    const peer = await opened(t, `${SERVE_URL}/ws/${encodeURIComponent(name)}?envelope=json`);
    peer.send('x');
    assert.equal((await peer.json()).topic, name);
  });

  test('since=earliest gives the history, since=ID what came after it', async (t) => {
    const name = topic();
    const writer = await opened(t, `${SERVE_URL}/ws/${name}?envelope=json`);
    const ids = [];
    for (const text of ['one', 'two', 'three']) {
      writer.send(text);
      ids.push((await writer.json()).id);
    }
    const all = await opened(t, `${SERVE_URL}/ws/${name}?since=earliest`);
    assert.deepEqual([await all.next(), await all.next(), await all.next()], ['one', 'two', 'three']);
    const some = await opened(t, `${SERVE_URL}/ws/${name}?since=${encodeURIComponent(ids[0])}`);
    assert.deepEqual([await some.next(), await some.next()], ['two', 'three']);
    const none = await opened(t, `${SERVE_URL}/ws/${name}`);
    writer.send('four');
    for (const peer of [all, some, none]) assert.equal(await peer.next(), 'four');
  });

  test('presence tells who came and went', async (t) => {
    const name = topic();
    const url = (who) => `${SERVE_URL}/ws/${name}?presence=1&name=${encodeURIComponent(who)}`;
    const a = await opened(t, url('가람'));
    const seen = async (peer, event, user) => {
      for (;;) {
        const message = await peer.json();
        if (message.event === event && message.user === user) return message.count;
      }
    };
    const b = await opened(t, url('__proto__'));
    assert.equal(await seen(a, 'join', '__proto__'), 2);
    await b.close(1000);
    assert.equal(await seen(a, 'leave', '__proto__'), 1);
  });
});

describe('handshake', () => {
  const url = () => `${SERVE_URL}/ws/${topic()}`;

  test('the first subprotocol offered that the server knows is chosen', async (t) => {
    const peer = await opened(t, url(), ['other', 'yard.v1', 'yard.v2']);
    assert.equal(peer.socket.protocol, 'yard.v1');
  });

  test('origins: none, the same host, loopback and the allowed one pass', async (t) => {
    for (const origin of [undefined, SERVE_URL.replace('ws', 'http'), 'http://localhost:3000', 'https://friend.example']) {
      await opened(t, url(), [], { origin });
    }
  });

  for (const origin of ['https://stranger.example', 'https://friend.example.evil', 'null']) {
    test(`origin ${origin} is refused with 403 and a reason`, async () => {
      await assert.rejects(open(url(), [], { origin }), (error) => {
        assert.equal(error.status, 403);
        assert.match(error.body, /origin/i);
        return true;
      });
    });
  }

  const upgrade = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
  };

  test('a raw handshake is accepted, with nothing that was not asked for', async () => {
    const { status, headers } = await request('/ws/raw', upgrade);
    assert.equal(status, 101);
    assert.equal(headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    assert.equal(headers['sec-websocket-protocol'], undefined);
    assert.equal(headers['sec-websocket-extensions'], undefined);
  });

  test('an unknown subprotocol is not echoed', async () => {
    const { status, headers } = await request('/ws/raw', { ...upgrade, 'Sec-WebSocket-Protocol': 'other' });
    assert.equal(status, 101);
    assert.equal(headers['sec-websocket-protocol'], undefined);
  });

  test('a plain GET is 426 with a body that helps', async () => {
    const { status, headers, body } = await request('/ws', {});
    assert.equal(status, 426);
    assert.match(headers.upgrade, /websocket/i);
    assert.match(body, /websocket/i);
  });

  test('another version is 426 and names the right one', async () => {
    const { status, headers } = await request('/ws', { ...upgrade, 'Sec-WebSocket-Version': '8' });
    assert.equal(status, 426);
    assert.equal(headers['sec-websocket-version'], '13');
  });

  for (const key of ['', 'short', 'AAAAAAAAAAAAAAAAAAAAAAA=', '!!!!!!!!!!!!!!!!!!!!!!==']) {
    test(`key "${key}" is 400`, async () => {
      const { status } = await request('/ws', { ...upgrade, 'Sec-WebSocket-Key': key });
      assert.equal(status, 400);
    });
  }

  test('a missing key is 400', async () => {
    const { 'Sec-WebSocket-Key': _, ...rest } = upgrade;
    assert.equal((await request('/ws', rest)).status, 400);
  });

  test('the server says that it is well', async () => {
    assert.equal((await request('/healthz', { Connection: 'close' })).status, 200);
  });

  /** A GET byte by byte as given; the connection is read to its end or to a 101. */
  function request(path, headers) {
    const { hostname, port, host } = new URL(SERVE_URL);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const answer = new Promise((resolve, reject) => {
      const socket = net.connect(port, hostname, () => {
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines.join('')}\r\n`);
      });
      let text = '';
      const done = () => {
        socket.destroy();
        resolve(parse(text));
      };
      socket.setEncoding('latin1');
      socket.on('data', (part) => {
        text += part;
        if (whole(text)) done();
      });
      socket.on('end', done);
      socket.on('error', reject);
    });
    return within(answer, 'answer');
  }

  function parse(text) {
    const [head, body = ''] = text.split(/\r\n\r\n([^]*)/);
    const [first, ...lines] = head.split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    return { status: Number(first.split(' ')[1]), headers, body };
  }

  function whole(text) {
    if (!text.includes('\r\n\r\n')) return false;
    const { status, headers, body } = parse(text);
    return status === 101 || body.length >= Number(headers['content-length'] ?? Infinity);
  }
});

after(() => {
  // A socket that a failed check left open must not keep the run alive.
  setTimeout(() => process.exit(), 1000).unref();
});
