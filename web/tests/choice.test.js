// Which door is taken when.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AUTOMATIC, Choice, DOORS } from "../doors.js";
import { page } from "./page.js";
import { FakeTopic, ME, until } from "./topic.js";

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
  assert.deepEqual([...new Set(it.heard.states.map((state) => state.split(" ")[0]))].slice(0, DOORS.length), DOORS.map(({ name }) => name));
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
  assert.deepEqual(DOORS.map(({ name }) => name), ["websocket", "sse", "stream", "longpoll", "poll", "socketio"]);
  for (const { name, labels } of DOORS) {
    assert.equal(new Choice(DOORS, name).door.name, name);
    assert.ok(labels.en !== "" && labels.ko !== "");
  }
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
