// The clients: npm ws, npm eventsource, and curl as a child process.

import { spawn } from 'node:child_process';
import { EventSource } from 'eventsource';
import { WebSocket } from 'ws';

const LIMIT = 15_000;

/** Rejects with `what` when `promise` takes too long. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} after ${LIMIT} ms`)), LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What came, in order, until it is asked for. */
export class Inbox {
  #came = [];
  #waiting = [];

  put(one) {
    const next = this.#waiting.shift();
    if (next) next(one);
    else this.#came.push(one);
  }

  next(what = 'message') {
    if (this.#came.length > 0) return Promise.resolve(this.#came.shift());
    return within(new Promise((resolve) => this.#waiting.push(resolve)), what);
  }
}

/** An open WebSocket; its messages are strings, or Buffers where the frame was binary. */
export async function webSocket(t, url) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'));
  t.after(() => socket.terminate());
  const inbox = new Inbox();
  socket.on('message', (data, binary) => inbox.put(binary ? data : data.toString('utf8')));
  const opened = new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  await within(opened, 'WebSocket');
  return { socket, next: () => inbox.next() };
}

/** An open EventSource that listens for these events. */
export async function eventSource(t, url, events) {
  const source = new EventSource(url);
  t.after(() => source.close());
  const inbox = new Inbox();
  const opens = new Inbox();
  source.addEventListener('open', () => opens.put());
  for (const event of events) {
    source.addEventListener(event, ({ type, data, lastEventId }) => {
      inbox.put({ type, data, lastEventId });
    });
  }
  await opens.next('EventSource');
  return { next: () => inbox.next(), opened: () => opens.next('reconnection') };
}

function curl(args) {
  return spawn('curl', ['--silent', '--show-error', '--fail-with-body', ...args]);
}

/** What curl printed, once it is done; `input` is what it reads. */
export async function curled(args, input = '') {
  const child = curl(['--max-time', '30', ...args]);
  const out = [];
  const errors = [];
  child.stdout.on('data', (part) => out.push(part));
  child.stderr.on('data', (part) => errors.push(part));
  child.stdin.on('error', () => {}); // What curl says of it is looked at.
  child.stdin.end(input);
  const code = await within(new Promise((resolve) => child.on('close', resolve)), 'end of curl');
  const text = Buffer.concat(out).toString('utf8');
  if (code !== 0) throw new Error(`curl ${args.join(' ')}: ${code}, ${Buffer.concat(errors)}${text}`);
  return text;
}

/** A stream that curl reads, once its first bytes have come; parts end with `separator`. */
export async function curlStream(t, url, separator) {
  const child = curl(['--no-buffer', url]);
  t.after(() => child.kill());
  const inbox = new Inbox();
  let text = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (part) => {
    text += part;
    const parts = text.split(separator);
    text = parts.pop();
    for (const one of parts) inbox.put(one);
  });
  child.on('close', (code) => inbox.put(`curl ended with ${code}`));
  const opening = await inbox.next('first bytes');
  return { opening, next: () => inbox.next() };
}
