"""python-socketio as a client of `madang serve`, by each of its transports, and over TLS."""

import itertools
import json
import os
import queue
import time
import unittest
import urllib.parse
import urllib.request

import requests
import serial
import socketio
import urllib3
from server import Server

LIMIT = 15
KOREAN = "마당에 오신 것을 환영합니다 👋"
BYTES = bytes(range(256))
ID = r"^[0-9A-Za-z]+-[0-9]+$"

_numbers = itertools.count()
server = None
secure = None


def setUpModule():
    global server, secure
    # The certificate is one that the server has made itself.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    server = Server()
    secure = Server("--tls-self-signed")


def tearDownModule():
    for one in (server, secure):
        one.kill()


def topic():
    return f"python-socketio/{os.getpid()}?{next(_numbers)}"


def http(topic, rest, body=None, headers=None):
    """What a door over HTTP answers of a topic."""
    url = f"{server.base}/topics/{urllib.parse.quote(topic, safe='')}{rest}"
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:
        return json.load(answer)


class Client:
    """A connected client, and the events that came to it: (namespace, event, *args)."""

    def __init__(self, case, base, transports, namespaces=("/",), reconnects=False, **query):
        self.came = queue.Queue()
        self.lost = queue.Queue()
        self.back = queue.Queue()
        # What the machine says of certificates and proxies is of no use on loopback.
        session = requests.Session()
        session.trust_env = False
        session.verify = False
        self.io = socketio.Client(
            http_session=session,
            ssl_verify=False,
            websocket_extra_options={"sslopt": {"context": serial.context()}},
            reconnection=reconnects,
            reconnection_delay=0.05,
            reconnection_delay_max=0.2,
        )
        serial.in_order(self.io)
        for namespace in namespaces:
            self.io.on("*", self.hears(namespace), namespace=namespace)
            self.io.on("disconnect", lambda *_: self.lost.put("lost"), namespace=namespace)
            self.io.on("connect", lambda: self.back.put("connected"), namespace=namespace)
        case.addCleanup(self.io.shutdown)
        url = f"{base}?{urllib.parse.urlencode(query)}"
        self.io.connect(url, transports=transports, namespaces=list(namespaces), wait_timeout=LIMIT)
        for _ in namespaces:
            self.back.get(timeout=LIMIT)

    def hears(self, namespace):
        return lambda event, *args: self.came.put((namespace, event, *args))

    def emit(self, event, *args, namespace="/"):
        # A tuple is the list of arguments.
        self.io.emit(event, args, namespace=namespace)

    def ask(self, event, *args, namespace="/"):
        return self.io.call(event, args, namespace=namespace, timeout=LIMIT)

    def next(self):
        return self.came.get(timeout=LIMIT)


class Carrier:
    """The tests, for each carrier."""

    transports = None

    def client(self, base=None, **more):
        return Client(self, base or server.base, self.transports, **more)

    def both(self, base=None):
        """Two in a topic of their own."""
        name = topic()
        other = Client(self, base or server.base, ["websocket"], topic=name)
        return self.client(base, topic=name), other

    def all(self, clients, event, *args):
        for one in clients:
            self.assertEqual(one.next(), ("/", event, *args))

    def test_events(self):
        a, b = self.both()
        self.assertEqual(a.io.transport(), self.transports[-1])
        a.emit("chat message", KOREAN)
        self.all((a, b), "chat message", KOREAN)
        b.emit("chat message", {"n": 1.5, "한": [None, True]})
        self.all((a, b), "chat message", {"n": 1.5, "한": [None, True]})
        a.emit("list", [1, 2])
        self.all((a, b), "list", [1, 2])

    def test_several_arguments(self):
        a, b = self.both()
        args = ("one", 2, None, {"three": [BYTES, {"넷": b"four"}]}, [], b"", False)
        for sender in (a, b):
            sender.emit("several", *args)
            self.all((a, b), "several", *args)

    def test_binary(self):
        a, b = self.both()
        for sender in (a, b):
            for value in (BYTES, {"name": KOREAN, "data": BYTES}, os.urandom(400_000)):
                sender.emit("picture", value)
                self.all((a, b), "picture", value)

    def test_acknowledgements(self):
        name = topic()
        a = self.client(topic=name)
        ids = [a.ask("message", "one"), a.ask("message", "two", BYTES), a.ask("publish", name, "other", BYTES)]
        for one in ids:
            self.assertRegex(one, ID)
        self.assertEqual([one["id"] for one in http(name, "/messages")["messages"]], ids)
        self.assertEqual(list(a.ask("publish", "", "message", "no")), ["error"])

    def test_rooms(self):
        room = topic()
        a = self.client(topic=topic())
        self.assertEqual(a.ask("join", room), "ok")
        self.assertRegex(a.ask("publish", room, "news", 1, "two"), ID)
        self.assertEqual(a.next(), ("/", "news", 1, "two"))
        self.assertEqual(a.ask("leave", room), "ok")
        self.assertRegex(a.ask("publish", room, "news", "unheard"), ID)
        a.emit("message", "heard")
        self.assertEqual(a.next(), ("/", "message", "heard"))

    def test_namespaces(self):
        room = topic()
        a = self.client(topic=topic(), namespaces=("/", "/ns"))
        for namespace in ("/", "/ns"):
            self.assertEqual(a.ask("join", room, namespace=namespace), "ok")
        a.ask("publish", room, "message", "inside", namespace="/ns")
        self.assertEqual(a.next(), ("/ns", "message", "inside"))
        a.ask("publish", room, "message", "outside")
        self.assertEqual(a.next(), ("/", "message", "outside"))
        said = [one["data"] for one in http(f"ns/{room}", "/messages")["messages"]]
        self.assertEqual(said, ["inside"])

    def test_from_post(self):
        name = topic()
        a = self.client(topic=name)
        bodies = [
            ("text/plain", KOREAN.encode(), KOREAN),
            ("application/json", b'{ "a": [1.0, null] }', {"a": [1.0, None]}),
            ("application/octet-stream", BYTES, BYTES),
        ]
        for kind, body, value in bodies:
            http(name, "?event=posted", body, {"Content-Type": kind})
            self.assertEqual(a.next(), ("/", "posted", value))

    def test_presence(self):
        name = topic()
        a = self.client(topic=name, name="지우")
        self.assertEqual(users(name), ["지우"])
        a.io.disconnect()
        deadline = time.monotonic() + LIMIT
        while users(name):
            self.assertLess(time.monotonic(), deadline, "still present")

    def test_tls(self):
        a, b = self.both(secure.base)
        for args in ((KOREAN,), (BYTES,), (1, {"two": BYTES})):
            a.emit("secret", *args)
            self.all((a, b), "secret", *args)

    def test_restart(self):
        away = Server()
        self.addCleanup(lambda: away.kill())
        a = self.client(away.base, topic=topic(), reconnects=True)
        a.ask("message", "before")
        self.assertEqual(a.next(), ("/", "message", "before"))
        away.kill()
        a.lost.get(timeout=LIMIT)
        away.start()
        a.back.get(timeout=LIMIT)
        a.ask("message", "after")
        self.assertEqual(a.next(), ("/", "message", "after"))


def users(name):
    return [one["user"] for one in http(name, "/presence")["users"]]


class Polling(Carrier, unittest.TestCase):
    transports = ["polling"]


class WebSocket(Carrier, unittest.TestCase):
    transports = ["websocket"]


class Upgraded(Carrier, unittest.TestCase):
    transports = ["polling", "websocket"]
