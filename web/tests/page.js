// Somebody's chat page without a browser, on a topic that a test plays by hand.

import assert from "node:assert/strict";

import { Connection } from "../connection.js";
import { Choice, DOORS } from "../doors.js";
import { Outbox } from "../outbox.js";
import { FakeClock, fakeWebSocket } from "./fakes.js";
import { FakeTopic, ME, until } from "./topic.js";

/** Somebody's page on a topic, by the door of this name. */
export function page(door, { topic = new FakeTopic(), doors = DOORS, WebSocket } = {}) {
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
    WebSocket: WebSocket ?? (door === "socketio" ? topic.SocketIo : FakeWebSocket),
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
export async function cut(it) {
  await it.listens();
  it.topic.cut();
  if (it.connection.state.door.name === "poll") {
    it.topic.instead.set("messages", () => Promise.reject(new TypeError("cut")));
    it.clock.pass(2_000);
  }
  await until(() => it.connection.state.name === "closed", "the cut is noticed");
  it.topic.instead.clear();
}
