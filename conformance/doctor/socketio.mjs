// Socket.IO as it comes, with CORS for one origin; the first argument changes something. Prints its port.
import { createServer } from "node:http";
import { Server } from "socket.io";

const kinds = {
  quick: { pingInterval: 500, pingTimeout: 400 },
  websocket: { transports: ["websocket"] },
};
const http = createServer();
const io = new Server(http, { cors: { origin: "https://app.example", credentials: true }, ...kinds[process.argv[2]] });
if (process.argv[2] === "leaves") io.on("connection", (socket) => socket.disconnect());
if (process.argv[2] === "stuck") io.use(() => {});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
