// Socket.IO as it comes, with CORS for one origin. Prints its port.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
new Server(http, { cors: { origin: "https://app.example", credentials: true } });
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
