// Socket.IO whose application refuses: a middleware that wants a token. Prints its port.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http);
io.use((socket, next) => next(socket.handshake.auth.token === "right" ? undefined : new Error("not authorised")));
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
