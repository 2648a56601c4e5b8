// An echo server on npm `ws`, with and without compression. Prints its port.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: process.argv[2] === "deflate" });
server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
