// What each door hears and says.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DOORS } from "../doors.js";
import { Headcount } from "../headcount.js";
import { FakeClock } from "./fakes.js";
import { cut, page } from "./page.js";
import { FakeTopic, HEARTBEAT, ME, json, until } from "./topic.js";

const HTTP = DOORS.filter(({ presence }) => !presence).map(({ name }) => name);
const posts = (door) => door !== "socketio";
const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 1, 2, 3, 4, 5);

for (const door of HTTP) {
  test(`${door}: the history, what is new, and our own words, which come back once`, async () => {
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
    await until(() => it.topic.said.length === 3, "it was published");
    it.turn();
    await it.hears("a: old", "밤: 새 글 🐦\nline two", "jiu: hi");
    await until(() => it.outbox.entries.length === 0, "the echo is the receipt");
    if (posts(door)) {
      const [{ headers, pathname, body }] = it.topic.asked("post");
      assert.deepEqual([pathname, body], ["/topics/lobby", "jiu: hi"]);
      assert.equal(headers["Content-Type"], "text/plain; charset=utf-8");
    } else assert.deepEqual(it.topic.packets, ["40", '420["message","jiu: hi"]']);
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
    await until(() => it.topic.said.length === 1, "it was published");
    it.turn();
    await until(() => it.heard.bytes.length === 1, "it came back");
    assert.deepEqual([...it.heard.bytes[0]], [...PNG]);
    if (posts(door)) {
      const [{ headers }] = it.topic.asked("post");
      assert.equal(headers["Content-Type"], "application/octet-stream");
      assert.equal(headers["X-Message-Nick"], ME);
    } else assert.deepEqual(it.topic.packets, ["40", '451-0["message",{"_placeholder":true,"num":0}]', PNG]);
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

for (const door of ["sse", "stream", "socketio"]) {
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

test("Socket.IO: in the room by the query; pings are answered, and a silent server is given up", async () => {
  const topic = new FakeTopic();
  const sockets = [];
  const { SocketIo } = topic;
  const it = page("socketio", { topic, WebSocket: class extends SocketIo {
    constructor(url) {
      super(url);
      sockets.push(this);
    }
  } });
  await it.enter();
  const [socket] = sockets;
  assert.equal(socket.url, `ws://h/socket.io/?EIO=4&transport=websocket&topic=lobby&name=${ME}&session=s`);
  const patience = HEARTBEAT.pingInterval + HEARTBEAT.pingTimeout;
  it.clock.pass(patience - 1);
  socket.ping();
  assert.deepEqual(topic.packets, ["40", "3"]);
  it.clock.pass(patience - 1);
  assert.equal(it.connection.state.name, "open");
  it.clock.pass(1);
  await until(() => it.connection.state.name === "closed", "it is given up");
  it.connection.dispose();
});

test("Socket.IO: what the server does not take, or would not, is left to the person, and the rest goes on", async () => {
  const it = await page("socketio").enter();
  it.topic.acknowledge = { error: "no" };
  it.say("refused");
  await until(() => it.fates().length === 1 && it.fates()[0] === "refused: unsure", "it is refused");
  it.topic.acknowledge = null;
  const large = "x".repeat(1_000);
  it.say(large);
  it.say("small");
  await it.hears("jiu: small");
  await until(() => it.outbox.entries.length === 2, "the small one is done");
  assert.deepEqual(it.fates(), ["refused: unsure", `${large}: unsure`]);
  assert.ok(!it.topic.packets.some((packet) => packet.length > 1_000), "what is too large is not sent");
  assert.equal(it.connection.state.name, "open");
  it.connection.dispose();
});

test("Socket.IO: who is not let in is told why", async () => {
  const topic = new FakeTopic();
  const { SocketIo } = topic;
  const it = page("socketio", { topic, WebSocket: class extends SocketIo {
    send(packet) {
      if (packet === "40") this.onmessage({ data: '44{"message":"too many topics"}' });
    }
  } });
  it.connection.start();
  await until(() => it.connection.state.name === "closed", "it ends");
  assert.deepEqual([it.connection.state.code, it.connection.state.reason], [1013, "too many topics"]);
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
