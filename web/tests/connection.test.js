import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "../connection.js";
import { Choice } from "../doors.js";
import { websocket } from "../doors/websocket.js";
import { Outbox } from "../outbox.js";
import { binaryFrame, FakeClock, fakeWebSocket } from "./fakes.js";

const ME = "jiu";

function page() {
  const { FakeWebSocket, sockets } = fakeWebSocket();
  const clock = new FakeClock();
  const outbox = new Outbox();
  const heard = { states: [], messages: [], presence: [], gaps: 0 };
  const connection = new Connection({
    room: "lobby",
    choice: new Choice([websocket], websocket.name),
    world: { socketBase: "ws://h", name: ME, session: "s", WebSocket: FakeWebSocket, clock },
    outbox,
    tell: {
      state: (state) => heard.states.push(state),
      message: (message, how) => heard.messages.push({ data: message.data, ...how }),
      presence: (event, how) => heard.presence.push({ ...event, ...how }),
      ready() {},
      gap: () => (heard.gaps += 1),
      outbox() {},
    },
    random: () => 1,
  });
  return {
    connection,
    clock,
    outbox,
    heard,
    sockets,
    get socket() {
      return sockets.at(-1);
    },
    say(text) {
      assert.ok(outbox.addText(ME, text));
      connection.pump();
    },
    states: () => heard.states.map(({ name }) => name),
    fates: () => outbox.entries.map(({ text, state }) => `${text}: ${state}`),
  };
}

const since = ({ url }) => new URL(url).searchParams.get("since");

function message(seq, data, user = ME, epoch = "e") {
  return { topic: "lobby", id: `${epoch}-${seq}`, event: "message", data, user, time: 1 };
}

function join(seq, epoch = "e") {
  return { topic: "lobby", id: `${epoch}-${seq}`, event: "join", user: ME, count: 1, users: [ME] };
}

function entered() {
  const it = page();
  it.connection.start();
  it.socket.accept();
  it.socket.give(join(0));
  return it;
}

test("enters with the history, then is open", () => {
  const it = page();
  it.connection.start();
  assert.equal(since(it.socket), "earliest");
  it.socket.accept();
  it.socket.give(message(1, "a: old", "a"));
  it.socket.give(join(1));
  it.socket.give(message(2, "a: new", "a"));
  assert.deepEqual(it.states(), ["connecting", "open"]);
  assert.deepEqual(it.heard.messages, [
    { data: "a: old", mine: false, replay: true },
    { data: "a: new", mine: false, replay: false },
  ]);
  assert.equal(it.heard.presence[0].own, true);
  assert.equal(it.heard.presence[0].again, false);
});

test("says nothing before its own join, then everything in order", () => {
  const it = page();
  it.say("one");
  it.connection.start();
  it.socket.accept();
  it.say("two");
  assert.deepEqual(it.socket.sent, []);
  it.socket.give(join(0));
  assert.deepEqual(it.socket.sent, ["jiu: one", "jiu: two"]);
});

test("the echo is the receipt", () => {
  const it = entered();
  it.say("hi");
  assert.deepEqual(it.fates(), ["hi: sent"]);
  it.socket.give(message(1, "jiu: hi", "mallory"));
  assert.deepEqual(it.fates(), ["hi: sent"], "another publisher's equal words are not ours");
  it.socket.give(message(2, "jiu: hi"));
  assert.deepEqual(it.fates(), []);
  assert.deepEqual(it.heard.messages.map(({ mine }) => mine), [false, true]);
});

test("resumes after the last id, and drops what it has seen", () => {
  const it = entered();
  it.socket.give(message(1, "a: 1", "a"));
  it.socket.end();
  it.clock.pass(500);
  assert.equal(since(it.socket), "e-1");
  it.socket.accept();
  it.socket.give(message(1, "a: 1", "a"));
  it.socket.give(message(2, "a: 2", "a"));
  it.socket.give(join(2));
  assert.deepEqual(it.heard.messages.map(({ data }) => data), ["a: 1", "a: 2"]);
  assert.equal(it.heard.presence[1].again, true);
});

test("resumes from its own join when nothing was said yet", () => {
  const it = page();
  it.connection.start();
  it.socket.accept();
  it.socket.give(join(7));
  it.socket.end();
  it.clock.pass(500);
  assert.equal(since(it.socket), "e-7");
});

test("a cut before the echo: found in the replay, it is not sent again", () => {
  const it = entered();
  it.say("once");
  it.socket.end();
  assert.deepEqual(it.fates(), ["once: uncertain"]);
  it.clock.pass(500);
  it.socket.accept();
  it.socket.give(message(1, "jiu: once"));
  it.socket.give(join(1));
  assert.deepEqual(it.socket.sent, []);
  assert.deepEqual(it.fates(), []);
});

test("a cut before the echo: absent from a whole replay, it is sent again, before what came later", () => {
  const it = entered();
  it.say("first");
  it.socket.end();
  it.say("second");
  it.clock.pass(500);
  it.socket.accept();
  it.socket.give(message(1, "a: between", "a"));
  it.socket.give(join(1));
  assert.deepEqual(it.socket.sent, ["jiu: first", "jiu: second"]);
});

test("two equal messages, one of which arrived: one is sent again", () => {
  const it = entered();
  it.say("yes");
  it.say("yes");
  it.socket.end();
  it.clock.pass(500);
  it.socket.accept();
  it.socket.give(message(1, "jiu: yes"));
  it.socket.give(join(1));
  assert.deepEqual(it.socket.sent, ["jiu: yes"]);
});

test("after a gap only what no socket ever took is sent; the rest waits for the person", () => {
  const it = entered();
  it.socket.give(message(1, "a: 1", "a"));
  it.say("who knows");
  it.socket.end(1006);
  it.say("typed meanwhile");
  it.clock.pass(500);
  assert.equal(since(it.socket), "e-1");
  it.socket.accept();
  it.socket.give({ topic: "lobby", event: "gap", id: "f-0" });
  it.socket.give(join(0, "f"));
  assert.equal(it.heard.gaps, 1);
  assert.deepEqual(it.socket.sent, ["jiu: typed meanwhile"]);
  assert.deepEqual(it.fates(), ["who knows: unsure", "typed meanwhile: sent"]);
  it.socket.give(message(1, "jiu: typed meanwhile", ME, "f"));
  it.outbox.again(it.outbox.entries[0].key);
  it.connection.pump();
  assert.deepEqual(it.socket.sent, ["jiu: typed meanwhile", "jiu: who knows"]);
});

test("a gap counts until its replay is over, also when that is cut; it is told once", () => {
  const it = entered();
  it.say("who knows");
  it.socket.end();
  it.clock.pass(500);
  it.socket.accept();
  it.socket.give({ topic: "lobby", event: "gap", id: "f-3" });
  it.socket.give(message(3, "a: 3", "a", "f"));
  it.socket.end();
  it.clock.pass(1000);
  assert.equal(since(it.socket), "f-3");
  it.socket.accept();
  it.socket.give(join(3, "f"));
  assert.equal(it.heard.gaps, 1);
  assert.deepEqual(it.fates(), ["who knows: unsure"]);
});

test("history that equals what we say is not its echo on first entry", () => {
  const it = page();
  it.say("hello");
  it.connection.start();
  it.socket.accept();
  it.socket.give(message(1, "jiu: hello"));
  it.socket.give(join(1));
  assert.deepEqual(it.socket.sent, ["jiu: hello"]);
});

test("a message that the server refuses is not thrown at it again and again", () => {
  const it = entered();
  it.say("too big");
  it.socket.end(1009, "message too big");
  it.clock.pass(500);
  it.socket.accept();
  it.socket.give(join(0));
  assert.deepEqual(it.socket.sent, []);
  assert.deepEqual(it.fates(), ["too big: unsure"]);
});

test("a message that goes down with every socket is tried three times", () => {
  const it = entered();
  it.say("cursed");
  for (let cut = 0; cut < 3; cut += 1) {
    assert.deepEqual(it.socket.sent, ["jiu: cursed"]);
    it.socket.end(1008, "policy");
    it.connection.start();
    it.socket.accept();
    it.socket.give(join(0));
  }
  assert.deepEqual(it.socket.sent, []);
  assert.deepEqual(it.fates(), ["cursed: unsure"]);
});

test("images are matched by their bytes", () => {
  const it = entered();
  const bytes = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1, 2, 3);
  it.outbox.addImage(bytes);
  it.connection.pump();
  const head = { topic: "lobby", event: "message", user: ME, time: 1 };
  it.socket.give(binaryFrame({ ...head, id: "e-1" }, Uint8Array.of(9, 9, 9)));
  assert.equal(it.outbox.entries.length, 1);
  it.socket.give(binaryFrame({ ...head, id: "e-2" }, bytes));
  assert.equal(it.outbox.entries.length, 0);
});

test("hands no more to a socket than it can take", () => {
  const it = entered();
  it.socket.bufferedAmount = 256 * 1024 + 1;
  it.say("later");
  assert.deepEqual(it.socket.sent, []);
  it.clock.pass(1000);
  assert.deepEqual(it.socket.sent, []);
  it.socket.bufferedAmount = 0;
  it.clock.pass(50);
  assert.deepEqual(it.socket.sent, ["jiu: later"]);
});

test("a socket that is closing is given nothing", () => {
  const it = entered();
  it.socket.readyState = 2;
  it.say("kept");
  assert.deepEqual(it.fates(), ["kept: queued"]);
});

test("backs off from half a second to thirty, and starts over after ten steady seconds", () => {
  const it = entered();
  const waits = [];
  for (let cut = 0; cut < 8; cut += 1) {
    it.socket.end();
    const { name, retryAt } = it.connection.state;
    assert.equal(name, "closed");
    waits.push(retryAt - it.clock.now());
    it.clock.pass(retryAt - it.clock.now());
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  it.socket.accept();
  it.clock.pass(9_999);
  it.socket.end();
  assert.equal(it.connection.state.retryAt - it.clock.now(), 30_000);
  it.clock.pass(30_000);
  it.socket.accept();
  it.clock.pass(10_000);
  it.socket.end();
  assert.equal(it.connection.state.retryAt - it.clock.now(), 500);
});

test("start goes at once instead of waiting, and never makes a second socket", () => {
  const it = entered();
  it.socket.end(1001, "going away");
  const state = { name: "closed", code: 1001, reason: "going away", retryAt: 500, door: websocket };
  assert.deepEqual(it.heard.states.at(-1), state);
  it.connection.start();
  it.connection.start();
  it.clock.pass(5_000);
  assert.equal(it.sockets.length, 2);
});

test("stop closes, hears what still comes, and stays away", () => {
  const it = entered();
  it.say("bye");
  it.connection.stop();
  assert.equal(it.socket.closedWith, 1000);
  it.socket.give(message(1, "jiu: bye"));
  it.socket.end(1000);
  it.clock.pass(100_000);
  assert.deepEqual(it.states(), ["connecting", "open", "closing", "closed"]);
  assert.equal(it.connection.state.retryAt, null);
  assert.equal(it.sockets.length, 1);
  assert.deepEqual(it.fates(), []);
  it.connection.start();
  assert.equal(since(it.socket), "e-1");
});

test("stop while waiting cancels the next try", () => {
  const it = entered();
  it.socket.end(1013, "busy");
  it.connection.stop();
  it.clock.pass(100_000);
  assert.equal(it.sockets.length, 1);
  const state = { name: "closed", code: 1013, reason: "busy", retryAt: null, door: websocket };
  assert.deepEqual(it.connection.state, state);
});

test("a server that never answers is given up and tried again", () => {
  const it = page();
  it.connection.start();
  it.clock.pass(15_000);
  assert.equal(it.connection.state.name, "closed");
  it.clock.pass(500);
  assert.equal(it.sockets.length, 2);
});

test("a dead link is noticed when no echo comes; a slow one is given its time", () => {
  const it = entered();
  it.socket.bufferedAmount = 1000;
  it.say("slow");
  for (let left = 900; left > 0; left -= 100) {
    it.clock.pass(14_000);
    it.socket.bufferedAmount = left;
  }
  assert.equal(it.connection.state.name, "open");
  it.clock.pass(40_000);
  assert.equal(it.sockets[0].onmessage, null);
  assert.notEqual(it.sockets.length, 1);
});

test("a disposed connection is silent and leaves no timer", () => {
  const it = entered();
  it.say("x");
  const before = it.heard.states.length;
  const { socket } = it;
  it.connection.dispose();
  socket.give(message(1, "a: late", "a"));
  socket.end();
  assert.equal(it.clock.pending, 0);
  assert.equal(it.heard.states.length, before);
  assert.deepEqual(it.heard.messages, []);
});

test("frames that mean nothing do nothing", () => {
  const it = entered();
  for (const frame of ["", "{", "null", "[1]", "7", '{"event":"dance"}', new ArrayBuffer(0), new ArrayBuffer(9)]) {
    it.socket.give(frame);
  }
  it.socket.give(new Uint8Array([255, 255, 255, 255, 1]).buffer);
  assert.deepEqual(it.heard.messages, []);
  assert.equal(it.connection.state.name, "open");
});
