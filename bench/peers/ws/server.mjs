// npm ws: `node server.mjs PORT` echoes at /, and sends to everybody at /ws/bench.

import { WebSocket, WebSocketServer } from 'ws';

const port = Number(process.argv[2]);
const server = new WebSocketServer({ host: '127.0.0.1', port, backlog: 4096 });
const members = new Set();

server.on('connection', (socket, request) => {
  // A client that resets its connection is how each run ends.
  socket.on('error', () => {});
  if (request.url !== '/ws/bench') {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    return;
  }
  members.add(socket);
  socket.on('close', () => members.delete(socket));
  socket.on('message', (data, binary) => {
    for (const member of members) {
      if (member.readyState === WebSocket.OPEN) member.send(data, { binary });
    }
  });
});

server.on('listening', () => console.log(`LISTENING ${port}`));
