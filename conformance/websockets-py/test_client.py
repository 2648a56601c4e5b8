"""Python websockets as a client: ECHO_URL echoes, SERVE_URL is `madang serve`."""

import asyncio
import itertools
import json
import os
import struct
import unittest

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

ECHO_URL = os.environ["ECHO_URL"]
SERVE_URL = os.environ["SERVE_URL"]

MIB = 1024 * 1024
KOREAN = "마당에 오신 것을 환영합니다 👋"
LIMIT = 5

_numbers = itertools.count()


def topic():
    return f"python-{os.getpid()}-{next(_numbers)}"


def opened(url, **options):
    # The reader of the machine's proxy settings is of no use on loopback.
    return connect(url, proxy=None, open_timeout=LIMIT, close_timeout=LIMIT, max_size=None, **options)


async def receive(socket):
    return await asyncio.wait_for(socket.recv(), LIMIT)


class Echo(unittest.IsolatedAsyncioTestCase):
    async def echoes(self, socket, messages):
        for message in messages:
            await socket.send(message)
            self.assertEqual(await receive(socket), message)

    async def test_sizes(self):
        async with opened(ECHO_URL, compression=None) as socket:
            for size in (0, 1, 125, 126, 65535, 65536, MIB - 1):
                await self.echoes(socket, [os.urandom(size), "a" * size])
            await self.echoes(socket, [KOREAN, ""])

    async def test_fragments(self):
        async with opened(ECHO_URL, compression=None) as socket:
            await socket.send(iter(KOREAN))
            self.assertEqual(await receive(socket), KOREAN)
            await socket.send([b"one", b"", b"two"])
            self.assertEqual(await receive(socket), b"onetwo")

    async def test_ping(self):
        async with opened(ECHO_URL) as socket:
            for payload in (b"", b"hello", b"x" * 125):
                pong = await socket.ping(payload)
                await asyncio.wait_for(pong, LIMIT)

    async def test_close_codes(self):
        for code in (1000, 1001, 1003, 1011, 1012, 1014, 3000, 4999):
            async with opened(ECHO_URL) as socket:
                await socket.close(code, "끝")
                self.assertEqual((socket.close_code, socket.close_reason), (code, "끝"))

    async def test_compression(self):
        factory = ClientPerMessageDeflateFactory
        offers = [
            factory(),
            factory(client_max_window_bits=True),
            factory(server_no_context_takeover=True, client_no_context_takeover=True),
            factory(client_max_window_bits=9),
            factory(server_max_window_bits=9),
            factory(server_max_window_bits=12, client_max_window_bits=12),
        ]
        texts = ["", KOREAN, KOREAN * 500, json.dumps(["madang"] * 5000)]
        for offer in offers:
            with self.subTest(repr(offer)):
                async with opened(ECHO_URL, compression=None, extensions=[offer]) as socket:
                    names = [extension.name for extension in socket.protocol.extensions]
                    self.assertEqual(names, ["permessage-deflate"])
                    await self.echoes(socket, texts + texts + [os.urandom(70_000), b"\0" * (MIB - 1)])

    async def test_a_window_of_eight_bits_is_served_without_compression_or_with_it(self):
        offer = ClientPerMessageDeflateFactory(server_max_window_bits=8)
        async with opened(ECHO_URL, compression=None, extensions=[offer]) as socket:
            await self.echoes(socket, [KOREAN * 500, b"x" * 100_000])

    async def test_many_in_flight(self):
        async with opened(ECHO_URL) as socket:
            numbers = [str(n) for n in range(2000)]
            sending = asyncio.create_task(self.send_all(socket, numbers))
            self.assertEqual([await receive(socket) for _ in numbers], numbers)
            await sending

    async def send_all(self, socket, messages):
        for message in messages:
            await socket.send(message)


class Topics(unittest.IsolatedAsyncioTestCase):
    async def test_everybody_gets_it_the_sender_included(self):
        url = f"{SERVE_URL}/ws/{topic()}"
        async with opened(url) as a, opened(url) as b, opened(f"{SERVE_URL}/ws/{topic()}") as stranger:
            for message in (KOREAN, b"\x00\xff"):
                await a.send(message)
                self.assertEqual(await receive(a), message)
                self.assertEqual(await receive(b), message)
            await stranger.send("own")
            self.assertEqual(await receive(stranger), "own")

    async def test_fragments_are_one_publication(self):
        async with opened(f"{SERVE_URL}/ws/{topic()}") as socket:
            await socket.send(iter(["one ", "two ", "three"]))
            self.assertEqual(await receive(socket), "one two three")

    async def test_too_big_is_1009(self):
        async with opened(f"{SERVE_URL}/ws/{topic()}", compression=None) as socket:
            await socket.send(b"\0" * (MIB + 1))
            with self.assertRaises(ConnectionClosed) as closed:
                await receive(socket)
            self.assertEqual(closed.exception.rcvd.code, 1009)

    async def test_envelope(self):
        name = topic()
        async with opened(f"{SERVE_URL}/ws/{name}?envelope=json") as socket:
            await socket.send(KOREAN)
            envelope = json.loads(await receive(socket))
            self.assertEqual((envelope["topic"], envelope["event"], envelope["data"]), (name, "message", KOREAN))
            self.assertRegex(envelope["id"], r"^.+-\d+$")
            await socket.send(b"\x01\x02\x03")
            frame = await receive(socket)
            self.assertIsInstance(frame, bytes)
            (length,) = struct.unpack(">I", frame[:4])
            self.assertEqual(json.loads(frame[4 : 4 + length])["topic"], name)
            self.assertEqual(frame[4 + length :], b"\x01\x02\x03")

    async def test_history(self):
        name = topic()
        async with opened(f"{SERVE_URL}/ws/{name}?envelope=json") as writer:
            ids = []
            for text in ("one", "two", "three"):
                await writer.send(text)
                ids.append(json.loads(await receive(writer))["id"])
        async with opened(f"{SERVE_URL}/ws/{name}?since=earliest") as reader:
            self.assertEqual([await receive(reader) for _ in range(3)], ["one", "two", "three"])
        async with opened(f"{SERVE_URL}/ws/{name}?since={ids[1]}") as reader:
            self.assertEqual(await receive(reader), "three")

    async def test_presence(self):
        url = f"{SERVE_URL}/ws/{topic()}?presence=1&name="

        async def seen(socket, event, user):
            while True:
                message = json.loads(await receive(socket))
                if (message.get("event"), message.get("user")) == (event, user):
                    return message["count"]

        async with opened(url + "first") as first:
            async with opened(url + "constructor"):
                self.assertEqual(await seen(first, "join", "constructor"), 2)
            self.assertEqual(await seen(first, "leave", "constructor"), 1)


class Handshake(unittest.IsolatedAsyncioTestCase):
    async def test_subprotocol(self):
        url = f"{SERVE_URL}/ws/{topic()}"
        async with opened(url, subprotocols=["other", "yard.v2", "yard.v1"]) as socket:
            self.assertEqual(socket.subprotocol, "yard.v2")
        async with opened(url, subprotocols=["other"]) as socket:
            self.assertIsNone(socket.subprotocol)

    async def test_origins(self):
        url = f"{SERVE_URL}/ws/{topic()}"
        own = SERVE_URL.replace("ws", "http", 1)
        for origin in (None, own, "http://localhost:5173", "https://friend.example"):
            async with opened(url, origin=origin):
                pass
        for origin in ("https://stranger.example", "null"):
            with self.assertRaises(InvalidStatus) as refused:
                async with opened(url, origin=origin):
                    pass
            self.assertEqual(refused.exception.response.status_code, 403)
            self.assertIn(b"rigin", refused.exception.response.body)

    async def test_an_unknown_path_is_404(self):
        with self.assertRaises(InvalidStatus) as refused:
            async with opened(f"{SERVE_URL}/nowhere/at/all"):
                pass
        self.assertEqual(refused.exception.response.status_code, 404)


if __name__ == "__main__":
    unittest.main()
