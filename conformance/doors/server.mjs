// `madang serve` as its user starts it: MADANG_BIN, on a port of its own choice that stays the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const READY = /(https?):\/\/127\.0\.0\.1:(\d+)/;
const START_WITHIN = 20_000;

export class Server {
  #child = null;
  #flags;
  #scheme = 'http';
  port = 0;

  /** `flags` are given beside those for its address and its workers. */
  constructor(flags = []) {
    this.#flags = flags;
  }

  static async start(flags) {
    const server = new Server(flags);
    await server.start();
    return server;
  }

  get base() {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** Starts it, at first on a free port, later on the same one. Members sit on two workers. */
  async start() {
    const args = ['serve', '--listen', `127.0.0.1:${this.port}`, '--workers', '2', ...this.#flags];
    const child = spawn(process.env.MADANG_BIN, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let output = '';
    [this.#scheme, this.port] = await new Promise((resolve, reject) => {
      const fail = (what) => reject(new Error(`the server ${what}; it wrote:\n${output}`));
      const timer = setTimeout(fail, START_WITHIN, 'said no address in time');
      const read = (chunk) => {
        output += chunk;
        const ready = READY.exec(output);
        if (!ready) return;
        clearTimeout(timer);
        resolve([ready[1], Number(ready[2])]);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('error', reject);
      child.once('exit', (code) => fail(`exited with ${code} at the start`));
    });
  }

  /** Ends it with a signal, and returns when it is gone. */
  async end(signal) {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
}
