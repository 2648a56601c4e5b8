// npm socket.io: `node server.mjs PORT`. At /socket.io/ it says `auth` to whoever connects, answers `message` by
// `message-back`, and says what it is sent as `everyone` to everybody, as `said`. Without the native add-ons of `ws`.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const port = Number(process.argv[2]);
const http = createServer();
const io = new Server(http, { serveClient: false });

io.on('connection', (socket) => {
  socket.emit('auth', socket.handshake.auth);
  socket.on('message', (...args) => socket.emit('message-back', ...args));
  socket.on('everyone', (payload) => io.emit('said', payload));
});

http.listen(port, '127.0.0.1', 4096, () => console.log(`LISTENING ${port}`));
