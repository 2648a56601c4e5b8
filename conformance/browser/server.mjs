// The server under test: the built binary, started on a port of its own choice, killed and started again.

import { spawn } from "node:child_process";
import { once } from "node:events";

const READY = /http:\/\/127\.0\.0\.1:(\d+)/;
const START_WITHIN = 20_000;

export class Server {
  #process = null;
  #output = "";
  port = 0;

  static async start() {
    const server = new Server();
    await server.start();
    return server;
  }

  /** Starts it, at first on a free port, later on the same one. */
  async start() {
    const binary = process.env.MADANG_BIN;
    if (!binary) throw new Error("MADANG_BIN must be the path of the built binary");
    const child = spawn(binary, ["serve", "--listen", `127.0.0.1:${this.port}`, "--workers", "4"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    this.#output = "";
    this.port = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#failure("said no address in time")), START_WITHIN);
      const read = (chunk) => {
        this.#output += chunk;
        const ready = READY.exec(this.#output);
        if (ready === null) return;
        clearTimeout(timer);
        resolve(Number(ready[1]));
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", reject);
      child.once("exit", (code) => reject(this.#failure(`exited with ${code} at the start`)));
    });
  }

  /** Ends it with a signal, and tells its exit code when it is gone. */
  async end(signal) {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = once(child, "exit");
    child.kill(signal);
    const [code] = await gone;
    return code;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  #failure(what) {
    return new Error(`the server ${what}; it wrote:\n${this.#output}`);
  }
}
