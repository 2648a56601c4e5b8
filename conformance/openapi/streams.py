"""Reads streams of JSON lines, and events, as the description says that they are.

usage: streams.py http://HOST:PORT
"""

import base64
import json
import sys
import urllib.request
from urllib.parse import quote

import jsonschema_rs

BASE = sys.argv[1]
TIMEOUT = 10
BYTES = bytes(range(256))
BODIES = [
    (b"a\r\nb", "text/plain", "a\r\nb"),
    (b'{"a":\n[1, null]}', "application/json", {"a": [1, None]}),
    (b"1\n\n[2]\n", "application/x-ndjson", 1),
    (None, None, [2]),  # the second line of the batch
    (BYTES, "image/png", base64.b64encode(BYTES).decode()),
    ("마당".encode(), None, "마당"),
]


def ask(path, **more):
    headers = more.pop("headers", {})
    request = urllib.request.Request(BASE + path, headers=headers, **more)
    return urllib.request.urlopen(request, timeout=TIMEOUT)


def validator(description, name):
    root = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
    return jsonschema_rs.validator_for(root)


def publish(topic):
    for body, kind, _ in BODIES:
        if body is None:
            continue
        headers = {"X-Message-Trace": "t-1", "X-Event": "order"}
        # Without a type, urllib says the one of forms.
        headers |= {"Content-Type": kind} if kind else {}
        with ask(f"/topics/{quote(topic, safe='')}", data=body, headers=headers) as answer:
            json.load(answer)


def lines(path, count):
    """So many lines of a stream that say something."""
    found = []
    with ask(path) as stream:
        assert stream.headers["Content-Type"] == "application/x-ndjson", stream.headers
        while len(found) < count:
            line = stream.readline()
            assert line.endswith(b"\n"), line
            if line.strip():
                found.append(json.loads(line))
    return found


def events(path, count):
    """So many events, by their fields (HTML Living Standard, §9.2.6)."""
    found, fields = [], {}
    with ask(path) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream", stream.headers
        while len(found) < count:
            line = stream.readline().decode().removesuffix("\n")
            if not line:
                if "data" in fields:
                    found.append(fields)
                fields = {}
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data" and "data" in fields:
                value = fields["data"] + "\n" + value
            if name:
                fields[name] = value
    return found


def main():
    with ask("/openapi.json") as answer:
        description = json.load(answer)
    line, event = validator(description, "Line"), validator(description, "Event")
    one, other = "streams/하나", "streams two"
    for topic in (one, other):
        publish(topic)
    wanted = [data for _, _, data in BODIES]
    path = f"/topics/{quote(one, safe='')}"
    several = f"topic={quote(one, safe='')}&topic={quote(other, safe='')}"

    got = lines(f"{path}/stream?since=earliest", len(BODIES))
    assert [message["data"] for message in got] == wanted, got
    assert {message["topic"] for message in got} == {one}, got
    assert all(message["headers"] == {"trace": "t-1"} for message in got), got
    assert "next" not in got[0], got
    both = lines(f"/stream?since=earliest&{several}", 2 * len(BODIES))
    assert {message["topic"] for message in both} == {one, other}, both
    assert all("next" in message for message in both), both
    # A cursor of another server: a gap, and then everything.
    lost = lines(f"{path}/stream?since=zzz-5", 1 + len(BODIES))
    assert (lost[0]["event"], lost[0]["gap"]) == ("gap", True), lost
    for message in (*got, *both, *lost):
        line.validate(message)

    sse = events(f"{path}/sse?since=earliest", len(BODIES))
    assert [e["id"] for e in sse] == [message["id"] for message in got], sse
    assert all(e["event"] == "order" for e in sse), sse
    assert sse[0]["data"] == "a\nb" and sse[-1]["data"] == "마당", sse
    gap = events(f"{path}/sse?since=zzz-5", 1)[0]
    line.validate(json.loads(gap["data"]))
    for one in (*sse, gap, *events(f"/sse?since=earliest&{several}", 2 * len(BODIES))):
        event.validate(one)
    print(f"streams: {len(got) + len(both) + len(lost)} lines and {len(sse)} events as described")


main()
