"""What keeps the client's threads apart where it does not do so itself.

python-engineio handles each message in a thread of its own, so that a packet may be overtaken by its
attachment, and reads and writes one TLS connection from two threads, which OpenSSL does not allow and
Python 3.11 does not prevent: both fail once in some hundred connections, whatever the server.
"""

import select
import ssl
import threading

_one = threading.Lock()


def in_order(client):
    """Lets a Socket.IO client handle its messages one after the other, as they come."""
    trigger = client.eio._trigger_event

    def serially(event, *args, **options):
        return trigger(event, *args, **{**options, "run_async": False})

    client.eio._trigger_event = serially


class Socket(ssl.SSLSocket):
    """A TLS connection that one thread at a time reads or writes, and none waits in."""

    _limit = None
    _is_set_up = False

    def do_handshake(self, *args):
        self._limit = super().gettimeout()
        super().do_handshake(*args)
        super().settimeout(0)
        self._is_set_up = True

    def gettimeout(self):
        return self._limit if self._is_set_up else super().gettimeout()

    def settimeout(self, limit):
        self._limit = limit
        if not self._is_set_up:
            super().settimeout(limit)

    def recv(self, *args):
        return self._serially(super().recv, *args)

    def send(self, *args):
        return self._serially(super().send, *args)

    def _serially(self, operation, *args):
        while True:
            try:
                with _one:
                    return operation(*args)
            except ssl.SSLWantReadError:
                wanted = ([self], [])
            except ssl.SSLWantWriteError:
                wanted = ([], [self])
            if not any(select.select(*wanted, [], self._limit)):
                raise TimeoutError("timed out")


def context():
    """A context for such connections, which takes any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.sslsocket_class = Socket
    return made
