// A WebSocket of npm ws whose messages and closing can be awaited.

import { WebSocket } from 'ws';

const LIMIT = 5000;

/** Rejects with `what` when `promise` takes too long. */
export function within(promise, what, limit = LIMIT) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} after ${limit} ms`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Messages of a socket in order of arrival, kept until they are asked for. */
export class Peer {
  constructor(socket) {
    this.socket = socket;
    this.messages = [];
    this.waiting = [];
    socket.on('message', (data, binary) => {
      const message = binary ? data : data.toString('utf8');
      const next = this.waiting.shift();
      if (next) next(message);
      else this.messages.push(message);
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString('utf8') }));
    });
    this.pongs = [];
    socket.on('pong', (data) => this.pongs.shift()?.(data));
    // A failure is also a close, which is what the checks look at.
    socket.on('error', () => {});
  }

  send(data, options = {}) {
    this.socket.send(data, options);
  }

  /** The next message: a string, or a Buffer for a binary one. */
  next() {
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift());
    return within(new Promise((resolve) => this.waiting.push(resolve)), 'message');
  }

  /** The next message, read as JSON. */
  async json() {
    return JSON.parse(await this.next());
  }

  /** Sends a ping and awaits what comes back. */
  ping(data) {
    const pong = new Promise((resolve) => this.pongs.push(resolve));
    this.socket.ping(data);
    return within(pong, 'pong');
  }

  /** Closes (or waits for the other side to), and says how it ended. */
  close(code, reason) {
    this.socket.close(code, reason);
    return this.ended();
  }

  ended() {
    return within(this.closed, 'close');
  }
}

/** Opens a socket; a refused upgrade rejects with the status in `status` and the text in `body`. */
export function open(url, protocols = [], options = {}) {
  const socket = new WebSocket(url, protocols, options);
  const peer = new Peer(socket);
  const opened = new Promise((resolve, reject) => {
    socket.once('open', () => resolve(peer));
    socket.once('error', reject);
    socket.once('unexpected-response', (_, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part) => (body += part));
      response.on('end', () => {
        const { statusCode: status, headers } = response;
        reject(Object.assign(new Error(`refused: ${status}`), { status, headers, body }));
      });
    });
  });
  return within(opened, 'opening');
}
