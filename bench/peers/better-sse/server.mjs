// npm better-sse on express: `node server.mjs PORT`. `POST /topics/bench` publishes,
// `GET /topics/bench/sse` is sent all.

import { createChannel, createSession } from 'better-sse';
import express from 'express';

const port = Number(process.argv[2]);
const channel = createChannel();
const app = express();
let last = 0;

app.get('/topics/bench/sse', async (request, response) => {
  channel.register(await createSession(request, response));
});

app.post('/topics/bench', express.text(), (request, response) => {
  channel.broadcast(request.body, 'message', { eventId: String(last++) });
  response.sendStatus(204);
});

app.listen(port, '127.0.0.1', 4096, () => console.log(`LISTENING ${port}`));
