"""`madang serve` as its user starts it: MADANG_BIN, on a port of its own choice that stays the same."""

import os
import re
import subprocess

READY = re.compile(r"(https?)://127\.0\.0\.1:(\d+)")


class Server:
    def __init__(self, *flags):
        self.flags = flags
        self.port = 0
        self.start()

    @property
    def base(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self):
        """Starts it, at first on a free port, later on the same one. Members sit on two workers."""
        command = [os.environ["MADANG_BIN"], "serve", "--workers", "2"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--log", "off", *self.flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        output = []
        for line in self.process.stdout:
            output.append(line)
            if ready := READY.search(line):
                self.scheme, self.port = ready[1], int(ready[2])
                return
        raise RuntimeError(f"the server said no address; it wrote: {output}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
