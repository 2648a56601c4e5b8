"""Python websockets as a server for our client: `server.py COMMAND ARG…` starts the client with
this server's URL as its last argument. The client plays Autobahn's game: it asks `/getCaseCount`,
opens `/runCase?case=N` for each case and echoes what it gets there."""

import asyncio
import os
import sys
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

MIB = 1024 * 1024
KOREAN = "마당에 오신 것을 환영합니다 👋"
LIMIT = 10


async def receive(socket):
    return await asyncio.wait_for(socket.recv(), LIMIT)


async def echoes(socket, messages):
    for message in messages:
        await socket.send(message)
        answer = await receive(socket)
        assert answer == message, f"{len(message)} came back as {len(answer)}"


async def text(socket):
    await echoes(socket, ["", "a", KOREAN, KOREAN * 500, "x" * 65535, "x" * 65536])


async def binary(socket):
    await echoes(socket, [os.urandom(size) for size in (0, 1, 126, 65536, MIB - 1)])


async def compressed(socket):
    names = [extension.name for extension in socket.protocol.extensions]
    assert names == ["permessage-deflate"], f"extensions agreed on: {names}"
    await echoes(socket, [KOREAN * 100, b"\0" * MIB] * 3)


async def fragments(socket):
    await socket.send(iter(KOREAN))
    assert await receive(socket) == KOREAN
    await socket.send([b"one", b"", b"two"])
    assert await receive(socket) == b"onetwo"


async def pings(socket):
    for payload in (b"", b"hello", b"x" * 125):
        pong = await socket.ping(payload)
        await asyncio.wait_for(pong, LIMIT)


async def many(socket):
    for number in range(1000):
        await socket.send(str(number))
    for number in range(1000):
        assert await receive(socket) == str(number)


def closing(code):
    async def close(socket):
        await socket.close(code, "끝")
        assert socket.close_code == code, f"the client answered {socket.close_code}"

    close.__name__ = f"close {code}"
    return close


async def broken(socket):
    """A connection that ends without a close frame."""
    await echoes(socket, ["still here"])
    socket.transport.abort()


SCENARIOS = [text, binary, compressed, fragments, pings, many, broken]
SCENARIOS += [closing(code) for code in (1000, 1001, 1008, 1011, 3000, 4999)]

results = {}


async def handler(socket):
    url = urlsplit(socket.request.path)
    if url.path == "/getCaseCount":
        await socket.send(str(len(SCENARIOS)))
        return
    if url.path != "/runCase":
        return
    number = int(parse_qs(url.query)["case"][0]) - 1
    try:
        await SCENARIOS[number](socket)
        results[number] = None
    except Exception as error:  # Whatever went wrong is the result.
        results[number] = error


async def main(command):
    deflate = ServerPerMessageDeflateFactory(require_client_max_window_bits=False)
    options = {"compression": None, "extensions": [deflate], "max_size": None, "close_timeout": LIMIT}
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        env = {**os.environ, "AUTOBAHN_AGENT": "madang"}
        client = await asyncio.create_subprocess_exec(*command, f"ws://127.0.0.1:{port}", env=env)
        try:
            code = await asyncio.wait_for(client.wait(), 60)
        except TimeoutError:
            client.kill()
            code = "no end after 60 s"
    failed = 0
    for number, scenario in enumerate(SCENARIOS):
        error = results.get(number, "was not played to its end")
        failed += error is not None
        print(f"FAIL {scenario.__name__}: {error!r}" if error is not None else f"ok   {scenario.__name__}")
    if code != 0:
        print(f"FAIL the client ended with {code}")
    print(f"{len(SCENARIOS) - failed} of {len(SCENARIOS)} scenarios passed")
    return failed == 0 and code == 0


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(sys.argv[1:])) else 1)
