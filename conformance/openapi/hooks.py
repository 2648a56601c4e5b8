"""What a schema cannot say of requests, and what a test has no time for."""

import json

import schemathesis

MAX_BYTES = 255
LONG = 0.05


NDJSON = "application/x-ndjson"


@schemathesis.serializer(NDJSON)
def lines(context, value):
    return "".join(json.dumps(item) + "\n" for item in value).encode()


def texts(case):
    """The names of topics and events in a request, whose limit is in bytes."""
    path = case.path_parameters or {}
    query = case.query or {}
    headers = case.headers or {}
    topics = query.get("topic")
    yield from topics if isinstance(topics, list) else [topics]
    yield from (path.get("topic"), query.get("event"), headers.get("X-Event"))


@schemathesis.hook
def filter_case(context, case):
    if case.media_type == NDJSON and not isinstance(case.body, list):
        # There is no way to write it as lines.
        return False
    # A schema counts characters.
    named = [text for text in texts(case) if isinstance(text, str)]
    return not any(
        len(text) <= MAX_BYTES < len(text.encode("utf-8", "surrogatepass")) for text in named
    )


@schemathesis.hook
def before_call(context, case, kwargs):
    # However long somebody may wait, these tests do not.
    wait = (case.query or {}).get("wait")
    if isinstance(wait, (int, float)) and not isinstance(wait, bool) and wait > LONG:
        case.query["wait"] = LONG
