import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "../connection.js";
import { AUTOMATIC, Choice, DOORS } from "../doors.js";
import { Headcount } from "../headcount.js";
import { Outbox } from "../outbox.js";
import { FakeClock, fakeWebSocket } from "./fakes.js";
import { FakeTopic, json, until } from "./topic.js";

const ME = "jiu";
const HTTP = DOORS.filter(({ presence }) => !presence).map(({ name }) => name);
const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 1, 2, 3, 4, 5);

/** Somebody's page on a topic, by the door of this name. */
function page(door, { topic = new FakeTopic(), doors = DOORS } = {}) {
  const { FakeWebSocket, sockets } = fakeWebSocket();
  const clock = new FakeClock();
  const outbox = new Outbox();
  const heard = { states: [], messages: [], bytes: [], ready: 0, gaps: 0 };
  const world = {
    base: "http://h",
    socketBase: "ws://h",
    name: ME,
    session: "s",
    visit: "v",
    clock,
    fetch: topic.fetch,
    WebSocket: FakeWebSocket,
    EventSource: topic.EventSource,
  };
  const connection = new Connection({
    room: "lobby",
    choice: new Choice(doors, door),
    world,
    outbox,
    tell: {
      state: (state) => heard.states.push(`${state.door.name} ${state.name}`),
      message: (message) => (message.bytes === null ? heard.messages.push(message.data) : heard.bytes.push(message.bytes)),
      presence() {},
      ready: () => (heard.ready += 1),
      gap: () => (heard.gaps += 1),
      outbox() {},
    },
    random: () => 1,
  });
  return {
    topic,
    connection,
    clock,
    outbox,
    heard,
    sockets,
    say(text) {
      assert.ok(outbox.addText(ME, text));
      connection.pump();
    },
    /** Connects, and waits until the door is there. */
    async enter() {
      const before = heard.ready;
      connection.start();
      await this.ready(before + 1);
      return this;
    },
    ready: (times) => until(() => heard.ready === times, `a door is ready ${times} times`),
    async hears(...all) {
      await until(() => heard.messages.length >= all.length, `${all} came`);
      assert.deepEqual(heard.messages, all);
    },
    /** The readers that wait for what is new; a poll never does. */
    listens: () => until(() => topic.readers > 0 || connection.state.door.name === "poll", "it listens"),
    /** Lets the time pass after which a poll asks again. */
    turn: () => clock.pass(connection.state.door.name === "poll" ? 2_000 : 0),
    fates: () => outbox.entries.map(({ text, state }) => `${text}: ${state}`),
  };
}

/** Cuts a page's link, however its door notices. */
async function cut(it) {
  await it.listens();
  it.topic.cut();
  if (it.connection.state.door.name === "poll") {
    it.topic.instead.set("messages", () => Promise.reject(new TypeError("cut")));
    it.clock.pass(2_000);
  }
  await until(() => it.connection.state.name === "closed", "the cut is noticed");
  it.topic.instead.clear();
}

for (const door of HTTP) {
  test(`${door}: the history, what is new, and our own words by POST, which come back once`, async () => {
    const it = page(door);
    it.topic.publish("a: old", { user: "a" });
    await it.enter();
    await it.hears("a: old");
    await it.listens();
    it.topic.publish("밤: 새 글 🐦\nline two");
    it.turn();
    await it.hears("a: old", "밤: 새 글 🐦\nline two");
    await it.listens();
    it.say("hi");
    await until(() => it.topic.said.length === 3, "it was posted");
    it.turn();
    await it.hears("a: old", "밤: 새 글 🐦\nline two", "jiu: hi");
    await until(() => it.outbox.entries.length === 0, "the echo is the receipt");
    const [{ headers, pathname, body }] = it.topic.asked("post");
    assert.deepEqual([pathname, body], ["/topics/lobby", "jiu: hi"]);
    assert.equal(headers["Content-Type"], "text/plain; charset=utf-8");
    assert.deepEqual(it.heard.states, [`${door} connecting`, `${door} open`]);
    it.connection.dispose();
  });

  test(`${door}: after a cut it resumes after the last id; nothing is lost, nothing is shown twice`, async () => {
    const it = await page(door).enter();
    it.topic.publish("a: 1");
    it.turn();
    await it.hears("a: 1");
    await cut(it);
    it.topic.publish("a: 2");
    it.topic.overlap = 1;
    const before = it.topic.requests.length;
    it.clock.pass(500);
    await it.ready(2);
    assert.equal(it.topic.requests[before].query.since, "e-1");
    await it.listens();
    it.topic.publish("a: 3");
    it.turn();
    await it.hears("a: 1", "a: 2", "a: 3");
    assert.equal(it.heard.gaps, 0);
    assert.equal(it.connection.state.door.name, door, "a cut is no reason to change the door");
    it.connection.dispose();
  });

  test(`${door}: a gap is told once, also when the server is another one`, async () => {
    const it = page(door);
    it.topic.publish("a: long ago");
    it.topic.evict();
    await it.enter();
    assert.equal(it.heard.gaps, 0, "a newcomer misses nothing");
    await cut(it);
    it.topic.publish("a: missed");
    it.topic.evict();
    it.topic.publish("a: held");
    it.clock.pass(500);
    await it.ready(2);
    await it.hears("a: held");
    assert.equal(it.heard.gaps, 1);
    await cut(it);
    it.topic.restart();
    it.topic.publish("a: anew");
    it.clock.pass(1_000);
    await it.ready(3);
    await it.hears("a: held", "a: anew");
    assert.equal(it.heard.gaps, 2);
    it.connection.dispose();
  });

  test(`${door}: an image is a binary body, and comes back as its bytes`, async () => {
    const it = await page(door).enter();
    await it.listens();
    assert.ok(it.outbox.addImage(PNG));
    it.connection.pump();
    await until(() => it.topic.said.length === 1, "it was posted");
    it.turn();
    await until(() => it.heard.bytes.length === 1, "it came back");
    assert.deepEqual([...it.heard.bytes[0]], [...PNG]);
    const [{ headers }] = it.topic.asked("post");
    assert.equal(headers["Content-Type"], "application/octet-stream");
    assert.equal(headers["X-Message-Nick"], ME);
    await until(() => it.outbox.entries.length === 0, "it is no more in the outbox");
    it.connection.dispose();
  });

  test(`${door}: what is disposed leaves no timer and no reader`, async () => {
    const it = await page(door).enter();
    await it.listens();
    it.connection.dispose();
    await until(() => it.topic.readers === 0, "nobody reads");
    assert.equal(it.clock.pending, 0);
  });

  test(`${door}: stop and start again`, async () => {
    const it = await page(door).enter();
    it.connection.stop();
    assert.equal(it.connection.state.name, "closed");
    it.clock.pass(100_000);
    assert.equal(it.heard.states.at(-1), `${door} closed`);
    it.topic.publish("a: meanwhile");
    await it.enter();
    await it.hears("a: meanwhile");
    it.connection.dispose();
  });
}

test("a history longer than a page comes whole", async () => {
  const topic = new FakeTopic();
  const all = Array.from({ length: 250 }, (_, at) => `a: ${at}`);
  for (const one of all) topic.publish(one);
  const it = await page("sse", { topic }).enter();
  await it.hears(...all);
  assert.deepEqual(topic.asked("messages").map(({ query }) => query.since), ["earliest", "e-100", "e-200"]);
  it.connection.dispose();
});

test("who reads is named, so that they are present", async () => {
  for (const door of ["sse", "stream", "longpoll"]) {
    const it = await page(door).enter();
    await it.listens();
    const { query, what } = it.topic.requests.at(-1);
    assert.deepEqual([query.name, query.session], [ME, "s"], what);
    it.connection.dispose();
  }
});

test("a stream that is not let in says why", async () => {
  const it = page("stream");
  it.topic.instead.set("stream", () => new Response('{"event":"refused","reason":"too many topics"}\n'));
  it.connection.start();
  await until(() => it.connection.state.name === "closed", "it ends");
  assert.deepEqual([it.connection.state.code, it.connection.state.reason], [1013, "too many topics"]);
  it.connection.dispose();
});

test("an answer that the server ended early, because it is large, is not taken for whole", async () => {
  const it = page("poll");
  const large = { messages: [{ data: "x".repeat(1024 * 1024), id: "e-1" }], next: "e-1", gap: false };
  it.topic.instead.set("messages", () => {
    it.topic.instead.clear();
    return json(large);
  });
  it.topic.publish("a: 1");
  it.topic.publish("a: 2");
  await it.enter();
  assert.deepEqual(it.heard.messages.slice(1), ["a: 2"]);
  assert.equal(it.topic.asked("messages").length, 2);
  it.connection.dispose();
});

test("messages are posted one after the other, in order", async () => {
  const it = page("longpoll");
  for (const text of ["one", "two", "three"]) it.say(text);
  await it.enter();
  await until(() => it.outbox.entries.length === 0, "all are posted");
  assert.deepEqual(it.topic.said, ["jiu: one", "jiu: two", "jiu: three"]);
  const keys = it.topic.asked("post").map(({ headers }) => headers["Idempotency-Key"]);
  assert.equal(new Set(keys).size, 3);
  it.connection.dispose();
});

test("an answer that was lost: the next try has the same key, and is not published again", async () => {
  const it = page("sse");
  await it.enter();
  await it.listens();
  it.topic.instead.set("post", () => {
    const { headers } = it.topic.asked("post").at(-1);
    it.topic.publish("jiu: once", { key: headers["Idempotency-Key"] });
    it.topic.evict(); // so that the replay cannot tell either
    return Promise.reject(new TypeError("cut"));
  });
  // Nor did the echo come.
  it.topic.cut = () => {};
  it.say("once");
  await until(() => it.connection.state.name === "closed", "the link is given up");
  it.topic.instead.clear();
  it.clock.pass(500);
  await it.ready(2);
  await until(() => it.outbox.entries.length === 0, "it is known to be published");
  assert.deepEqual(it.heard.messages, ["jiu: once"]);
  it.connection.dispose();
});

test("one message is posted at a time", async () => {
  const it = page("sse");
  const answers = [];
  it.topic.instead.set("post", () => new Promise((answer) => answers.push(answer)));
  it.say("one");
  it.say("two");
  await it.enter();
  await until(() => answers.length > 0, "the first is posted");
  await assert.rejects(until(() => answers.length > 1), "and the second waits for its answer");
  answers[0](json({ id: "e-1" }));
  await until(() => answers.length === 2, "the second is posted");
  it.connection.dispose();
});

test("what the server has told an id for was published, though a cut and a gap hide its echo", async () => {
  const it = await page("sse").enter();
  await it.listens();
  it.topic.instead.set("post", () => json({ id: "e-1" }));
  it.say("hidden");
  await until(() => it.outbox.awaiting, "it is posted");
  await cut(it);
  it.topic.restart();
  it.clock.pass(500);
  await it.ready(2);
  assert.equal(it.heard.gaps, 1);
  assert.deepEqual(it.fates(), []);
  it.connection.dispose();
});

for (const door of ["sse", "stream"]) {
  test(`${door}: what is lost between the replay and the opening is told as well`, async () => {
    const it = await page(door).enter();
    await cut(it);
    it.topic.instead.set("messages", () => {
      it.topic.instead.clear();
      queueMicrotask(() => {
        it.topic.publish("a: lost");
        it.topic.evict();
      });
      return json({ messages: [], next: "e-0", gap: false });
    });
    it.clock.pass(500);
    await it.ready(2);
    await until(() => it.heard.gaps === 1, "the gap is told");
    it.connection.dispose();
  });
}

test("a door that was given up is not listened to", async () => {
  const opened = [];
  const stub = {
    name: "stub",
    labels: {},
    presence: false,
    open: (room, since, events) => {
      opened.push(events);
      return { send: () => false, close() {} };
    },
  };
  const it = page("stub", { doors: [stub] });
  it.connection.start();
  it.clock.pass(15_500);
  assert.equal(opened.length, 2);
  opened[0].opened();
  opened[0].at("x-9");
  opened[0].ready();
  opened[0].heard({ kind: "message", id: "x-1", data: "late", bytes: null, user: null });
  opened[0].closed({ code: 1000, reason: "" });
  assert.equal(it.heard.states.at(-1), "stub connecting");
  assert.deepEqual([it.heard.messages, it.heard.ready], [[], 0]);
  it.connection.dispose();
});

test("what the server does not take is left to the person, and the rest goes on", async () => {
  const it = await page("stream").enter();
  it.topic.instead.set("post", () => {
    it.topic.instead.clear();
    return json({ title: "too big" }, 413);
  });
  it.say("big");
  it.say("small");
  await it.hears("jiu: small");
  await until(() => it.outbox.entries.length === 1, "the small one is done");
  assert.deepEqual(it.fates(), ["big: unsure"]);
  assert.equal(it.connection.state.name, "open");
  it.outbox.again(it.outbox.entries[0].key);
  it.connection.pump();
  await it.hears("jiu: small", "jiu: big");
  const keys = it.topic.asked("post").map(({ headers }) => headers["Idempotency-Key"]);
  assert.equal(new Set(keys).size, 3, "what a person sends again is another message");
  it.connection.dispose();
});

test("automatic: each door that is refused gives way to the next, at once", async () => {
  const it = page(AUTOMATIC);
  const refuse = () => new Response("no", { status: 403 });
  it.topic.instead.set("sse", (source) => source.onerror()).set("stream", refuse);
  it.connection.start();
  assert.deepEqual(it.heard.states, ["websocket connecting"]);
  it.sockets[0].end(1006);
  await it.ready(1);
  const order = ["websocket connecting", "sse connecting", "stream connecting", "longpoll connecting", "longpoll open"];
  assert.deepEqual(it.heard.states, order);
  assert.equal(it.clock.now(), 0);
  it.connection.dispose();
});

test("automatic: a door without a sign of life within five seconds gives way", async () => {
  const it = page(AUTOMATIC);
  const never = () => new Promise(() => {});
  it.topic.instead.set("sse", () => {}).set("stream", never);
  it.connection.start();
  it.clock.pass(4_999);
  assert.deepEqual(it.heard.states, ["websocket connecting"]);
  it.clock.pass(1);
  await until(() => it.topic.asked("sse").length === 1, "SSE is tried");
  it.clock.pass(5_000);
  await until(() => it.topic.asked("stream").length === 1, "the stream is tried");
  it.clock.pass(5_000);
  await it.ready(1);
  assert.equal(it.connection.state.door.name, "longpoll");
  it.connection.dispose();
});

test("automatic: an open door that brings nothing back of what was posted gives way", async () => {
  const it = page(AUTOMATIC);
  it.connection.start();
  it.sockets[0].end();
  // An SSE stream that a proxy holds back: open, and silent.
  it.topic.instead.set("sse", (source) => source.onopen());
  await it.ready(1);
  assert.equal(it.connection.state.door.name, "sse");
  it.say("anybody?");
  await until(() => it.outbox.awaiting, "it is posted");
  it.clock.pass(14_999);
  assert.equal(it.connection.state.door.name, "sse");
  it.clock.pass(1);
  await it.ready(2);
  assert.equal(it.connection.state.door.name, "stream");
  await it.hears("jiu: anybody?");
  assert.deepEqual(it.topic.said, ["jiu: anybody?"]);
  assert.deepEqual(it.fates(), []);
  it.connection.dispose();
});

test("automatic: a WebSocket that takes everything and gives nothing back gives way", async () => {
  const it = page(AUTOMATIC);
  it.connection.start();
  it.sockets[0].accept();
  it.sockets[0].give({ topic: "lobby", id: "e-0", event: "join", user: ME, count: 1, users: [ME] });
  it.say("hello?");
  it.clock.pass(15_000);
  await it.hears("jiu: hello?");
  assert.equal(it.connection.state.door.name, "sse");
  assert.deepEqual(it.topic.said, ["jiu: hello?"]);
  it.connection.dispose();
});

test("automatic: when every door is shut, it begins again with the first, later", async () => {
  const it = page(AUTOMATIC);
  const refuse = () => new Response("no", { status: 503 });
  it.topic.instead.set("messages", refuse);
  it.connection.start();
  it.sockets[0].end();
  await until(() => it.connection.state.name === "closed", "all are shut");
  assert.deepEqual([...new Set(it.heard.states.map((state) => state.split(" ")[0]))].slice(0, 5), DOORS.map(({ name }) => name));
  it.clock.pass(499);
  assert.equal(it.sockets.length, 1);
  it.clock.pass(1);
  assert.equal(it.sockets.length, 2);
  it.connection.dispose();
});

test("automatic: a server that is away does not shut the best door", async () => {
  const it = page(AUTOMATIC);
  it.topic.instead.set("messages", () => Promise.reject(new TypeError("refused")));
  it.connection.start();
  it.sockets[0].end();
  await until(() => it.connection.state.name === "closed", "nothing answers");
  assert.deepEqual(it.topic.asked("messages").length, 1, "the other doors are not even tried");
  it.clock.pass(500);
  it.sockets[1].accept();
  assert.equal(it.heard.states.at(-1), "websocket open");
  it.connection.dispose();
});

test("automatic: a door that was through is tried again before it is given up", async () => {
  const it = page(AUTOMATIC);
  it.connection.start();
  it.sockets[0].accept();
  it.sockets[0].give({ topic: "lobby", id: "e-0", event: "join", user: ME, count: 1, users: [ME] });
  for (const wait of [500, 1_000, 2_000]) {
    it.sockets.at(-1).end();
    it.clock.pass(wait);
  }
  assert.equal(it.sockets.length, 4);
  assert.ok(it.heard.states.every((state) => state.startsWith("websocket")));
  it.sockets[3].end();
  await it.ready(2);
  assert.equal(it.connection.state.door.name, "sse");
  it.connection.dispose();
});

test("a fixed door is never left, and is given its time", async () => {
  const it = page("sse");
  let tries = 0;
  it.topic.instead.set("sse", (source) => {
    tries += 1;
    source.onerror();
  });
  it.connection.start();
  for (let at = 1; at <= 5; at += 1) {
    await until(() => tries === at && it.connection.state.name === "closed", "it is refused");
    it.clock.pass(it.connection.state.retryAt - it.clock.now());
  }
  assert.deepEqual(it.sockets, []);
  assert.deepEqual(it.topic.asked("stream"), []);
  it.connection.dispose();
});

test("an unknown name is automatic; every door has its label in both languages", () => {
  for (const name of [null, "", "carrier-pigeon", "__proto__", AUTOMATIC]) {
    assert.equal(new Choice(DOORS, name).name, AUTOMATIC);
  }
  assert.deepEqual(DOORS.map(({ name }) => name), ["websocket", "sse", "stream", "longpoll", "poll"]);
  for (const { name, labels } of DOORS) {
    assert.equal(new Choice(DOORS, name).door.name, name);
    assert.ok(labels.en !== "" && labels.ko !== "");
  }
});

test("another door in the middle of it: nothing is lost, doubled or sent twice", async () => {
  const it = page("websocket");
  it.connection.start();
  it.sockets[0].accept();
  it.sockets[0].give({ topic: "lobby", id: "e-0", event: "join", user: ME, count: 1, users: [ME] });
  it.say("arrived");
  it.say("did not");
  assert.equal(it.topic.publish("jiu: arrived", { user: ME }), "e-1");
  it.connection.use(new Choice(DOORS, "longpoll"));
  assert.equal(it.sockets[0].closedWith, 1000);
  await it.hears("jiu: arrived", "jiu: did not");
  await until(() => it.outbox.entries.length === 0, "both are done");
  await it.listens();
  it.connection.use(new Choice(DOORS, "stream"));
  await it.ready(3);
  it.topic.publish("a: and on");
  await it.hears("jiu: arrived", "jiu: did not", "a: and on");
  assert.deepEqual(it.topic.said, ["jiu: arrived", "jiu: did not", "a: and on"]);
  it.connection.dispose();
});

test("a browser without EventSource goes on to the next door", async () => {
  const topic = new FakeTopic();
  Object.defineProperty(topic, "EventSource", { value: undefined });
  const it = page(AUTOMATIC, { topic });
  it.connection.start();
  it.sockets[0].end();
  await it.ready(1);
  assert.equal(it.connection.state.door.name, "stream");
  it.connection.dispose();
});

test("a stream in which not even empty lines come is given up", async () => {
  const it = await page("stream").enter();
  it.clock.pass(44_999);
  assert.equal(it.connection.state.name, "open");
  it.clock.pass(1);
  await until(() => it.connection.state.name === "closed", "it is given up");
  it.connection.dispose();
});

test("a long poll that is answered at once, and with nothing, is no busy loop", async () => {
  const it = await page("longpoll").enter();
  await it.listens();
  it.topic.instead.set("messages", () => json({ messages: [], next: "e-1", gap: false }));
  it.topic.publish("a: 1");
  for (let round = 1; round <= 3; round += 1) {
    const asked = () => it.topic.asked("messages").length;
    await until(() => asked() === 2 + round, "it asks");
    await assert.rejects(until(() => asked() > 2 + round), "and asks no more until time has passed");
    it.clock.pass(2_000);
  }
  it.connection.dispose();
});

test("a page that is not Madang's is no answer", async () => {
  const it = page("poll");
  it.topic.instead.set("messages", () => new Response("<html>Sign in to this network</html>"));
  it.connection.start();
  await until(() => it.connection.state.name === "closed", "it is noticed");
  assert.deepEqual(it.heard.messages, []);
  it.connection.dispose();
});

test("heads are counted every fifteen seconds until it stops", async () => {
  const topic = new FakeTopic();
  const clock = new FakeClock();
  const counts = [];
  const headcount = new Headcount("a b", { base: "http://h", fetch: topic.fetch, clock }, (count) => counts.push(count));
  headcount.start();
  headcount.start();
  clock.pass(500);
  await until(() => counts.length === 2, "an answer came");
  assert.deepEqual(counts, [null, 3]);
  assert.equal(topic.asked("presence")[0].pathname, "/topics/a%20b/presence");
  topic.instead.set("presence", () => Promise.reject(new TypeError("cut")));
  clock.pass(15_000);
  topic.instead.clear();
  clock.pass(15_000);
  await until(() => counts.length === 3, "another came");
  headcount.stop();
  assert.equal(clock.pending, 0);
  assert.equal(topic.asked("presence").length, 3);
});
