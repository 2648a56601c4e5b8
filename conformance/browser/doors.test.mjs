// The chat page by each of its doors, in headless Chromium against the real server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { Link } from "./link.mjs";
import { PHONE, SHOTS, Stage, imageShown, picture } from "./stage.mjs";

const DOORS = ["websocket", "sse", "stream", "longpoll", "poll", "socketio"];
const OVER_HTTP = DOORS.slice(1);

const stage = new Stage();
const enter = (name, room, how) => stage.enter(name, room, how);

before(() => stage.open());
after(() => stage.close());
afterEach(() => stage.clear());

const door = (person) => person.page.getAttribute("#via", "data-door");

test("two tabs, one on WebSocket and one on long poll, chat: words and a picture, both ways", async () => {
  const near = await enter("Robin", "two doors", { door: "websocket" });
  const far = await enter("지우", "two doors", { door: "longpoll", locale: "ko-KR" });
  assert.deepEqual(await Promise.all([far, near].map(door)), ["longpoll", "websocket"]);
  await far.say("안녕하세요! 여기는 롱 폴링입니다.");
  await near.hears("지우", "안녕하세요! 여기는 롱 폴링입니다.");
  await near.say("Hello from a WebSocket: <b>&amp;</b>\nsecond line");
  await far.hears("Robin", "Hello from a WebSocket: <b>&amp;</b>\nsecond line");
  await far.sendImage("sunset.png", "image/png", await picture(far.page, 300, 180, false));
  assert.deepEqual(await (await imageShown(near, "Image from 지우")).jsonValue(), [300, "blob"]);
  await near.sendImage("sunset.png", "image/png", await picture(near.page, 200, 120, false));
  assert.deepEqual(await (await imageShown(far, "Robin 님이 보낸 사진")).jsonValue(), [200, "blob"]);
  await imageShown(far, "지우 님이 보낸 사진");
  await Promise.all([far.allSent(), near.allSent()]);
  assert.deepEqual(await far.said(), await near.said());
  // Whoever polls with a name is here, too; and whoever has no list is told how many are.
  assert.deepEqual((await near.names()).sort(), ["Robin", "지우"]);
  await far.page.waitForFunction(() => document.getElementById("count").textContent === "유저 2 명");
  await far.shot(join(SHOTS, "doors-longpoll.png"));
});

test("two tabs, one on Socket.IO and one on SSE, chat: words and a picture, both ways", async () => {
  const said = [];
  const prepare = (page) =>
    page.on("websocket", (socket) => {
      const { pathname, searchParams } = new URL(socket.url());
      said.push(`${pathname} ${searchParams.get("topic")}`);
      socket.on("framesent", ({ payload }) => {
        if (typeof payload === "string" && payload.startsWith("4")) said.push(payload);
      });
    });
  const near = await enter("Robin", "socket.io & sse", { door: "socketio", prepare });
  const far = await enter("지우", "socket.io & sse", { door: "sse", locale: "ko-KR" });
  assert.deepEqual(await Promise.all([near, far].map(door)), ["socketio", "sse"]);
  await near.say("Hello by Socket.IO: <b>&amp;</b> 👋\nsecond line");
  await far.hears("Robin", "Hello by Socket.IO: <b>&amp;</b> 👋\nsecond line");
  await far.say("안녕하세요! 여기는 SSE입니다.");
  await near.hears("지우", "안녕하세요! 여기는 SSE입니다.");
  await near.sendImage("sunset.png", "image/png", await picture(near.page, 300, 180, false));
  // An SSE event has no place for the sender's name.
  await far.page.waitForFunction(() => document.querySelector("#log img")?.naturalWidth === 300);
  await imageShown(near, "Image from Robin");
  await far.sendImage("sunset.png", "image/png", await picture(far.page, 200, 120, false));
  assert.deepEqual(await (await imageShown(near, "Image from 지우")).jsonValue(), [200, "blob"]);
  await Promise.all([far.allSent(), near.allSent()]);
  assert.deepEqual((await far.said()).slice(0, 2), (await near.said()).slice(0, 2));
  assert.deepEqual(said, [
    "/socket.io/ socket.io & sse",
    "40",
    `420${JSON.stringify(["message", "Robin: Hello by Socket.IO: <b>&amp;</b> 👋\nsecond line"])}`,
    '451-1["message",{"_placeholder":true,"num":0}]',
  ]);
  assert.equal(await near.page.textContent("#via"), "· Socket.IO");
  await near.shot(join(SHOTS, "doors-socketio.png"));
});

test("six people by six doors are in one room: everybody hears each once, in one order", async () => {
  const people = [];
  for (const name of DOORS) people.push(await enter(name, "six", { door: name }));
  const expected = [];
  for (let round = 1; round <= 3; round += 1) {
    for (const person of people) {
      expected.push(`${person.name}: ${round}`);
      await person.say(String(round));
    }
  }
  for (const person of people) {
    for (let round = 1; round <= 3; round += 1) {
      for (const name of DOORS) await person.hears(name, String(round));
    }
    await person.allSent();
  }
  const order = await people[0].said();
  assert.deepEqual(order.toSorted(), expected.toSorted());
  for (const person of people) assert.deepEqual(await person.said(), order, person.name);
  assert.deepEqual(await Promise.all(people.map(door)), DOORS);
  for (const person of people) {
    await person.sendImage("dot.png", "image/png", await picture(person.page, 40, 30, false));
  }
  for (const person of people) {
    await person.page.waitForFunction(() => document.querySelectorAll("#log img").length === 6);
    const alts = await person.page.$$eval("#log img", (all) => all.map((image) => image.alt));
    // An SSE event has no place for the sender's name; the other doors have.
    if (person.name !== "sse") assert.deepEqual(alts.sort(), DOORS.map((name) => `Image from ${name}`).sort());
  }
});

for (const name of OVER_HTTP) {
  test(`${name}: cuts lose nothing and double nothing`, async () => {
    const link = await Link.to(stage.server.port);
    try {
      const far = await enter("Far", `cuts ${name}`, { url: link.url, door: name });
      const near = await enter("Near", `cuts ${name}`, { door: "websocket" });
      const expected = [];
      const say = async (person, text) => {
        expected.push(`${person.name}: ${text}`);
        await person.say(text);
      };
      for (let round = 1; round <= 3; round += 1) {
        await say(near, `before cut ${round}`);
        link.cut();
        await far.state("closed");
        await say(near, `during cut ${round}`);
        await say(far, `typed during cut ${round}`);
        link.mend();
        await far.comesBack();
        await near.hears("Far", `typed during cut ${round}`);
        await far.allSent();
      }
      // The server took it, its answer was lost: not to be published again.
      link.lose("down");
      await say(far, "heard by all but me");
      await near.hears("Far", "heard by all but me");
      link.cut();
      await far.state("closed");
      link.mend();
      await far.comesBack();
      await far.hears("Far", "heard by all but me");
      await say(near, "the end");
      await far.hears("Near", "the end");
      await Promise.all([far.allSent(), near.allSent()]);
      assert.deepEqual((await far.said()).sort(), expected.toSorted());
      assert.deepEqual(await far.said(), await near.said(), "both saw the same order");
      assert.equal(await door(far), name);
      assert.equal(await far.page.locator("#log .notice.gap").count(), 0);
    } finally {
      link.close();
    }
  });
}

test("the server is killed and started again: every door says that something may be lost, and goes on", async () => {
  const people = [];
  for (const name of OVER_HTTP) people.push(await enter(name, "restart", { door: name }));
  await people[0].say("before");
  for (const person of people) await person.hears("sse", "before");
  await stage.server.end("SIGKILL");
  await Promise.all(people.map((person) => person.state("closed")));
  await stage.server.start();
  await Promise.all(people.map((person) => person.comesBack()));
  for (const person of people) {
    await person.page.waitForSelector("#log .notice.gap");
    assert.equal(await person.page.textContent("#log .notice.gap"), "Some messages may have been lost.");
  }
  await people[3].say("after");
  for (const person of people) {
    await person.hears("poll", "after");
    assert.deepEqual(await person.said(), ["sse: before", "poll: after"]);
    assert.equal(await person.page.locator("#log .notice.gap").count(), 1);
  }
});

test("automatic takes the first door that is not blocked, and says which", async () => {
  const blocked = async (page, patterns) => {
    await page.routeWebSocket(/\/ws\//, (socket) => socket.close());
    for (const pattern of patterns) await page.route(pattern, (route) => route.abort());
  };
  const best = await enter("Best", "auto");
  const second = await enter("Second", "auto", { prepare: (page) => blocked(page, []) });
  const third = await enter("Third", "auto", { prepare: (page) => blocked(page, [/\/sse\?/]) });
  const fourth = await enter("Fourth", "auto", { prepare: (page) => blocked(page, [/\/sse\?/, /\/stream\?/]) });
  const people = [best, second, third, fourth];
  assert.deepEqual(await Promise.all(people.map(door)), DOORS.slice(0, 4));
  const shown = (person) => person.page.textContent("#via");
  assert.deepEqual(await Promise.all(people.map(shown)), ["· WebSocket", "· SSE + POST", "· Streaming fetch + POST", "· Long poll + POST"]);
  for (const person of people) assert.equal(await person.page.inputValue("#way"), "auto");
  await fourth.say("who is there?");
  for (const person of people) await person.hears("Fourth", "who is there?");
});

test("the menu changes the door in the middle of a talk; the address keeps it", async () => {
  const a = await enter("A", "menu", { viewport: PHONE });
  const b = await enter("B", "menu", { door: "websocket" });
  const menu = a.page.getByLabel("Connect by");
  const expected = [];
  for (const name of [...OVER_HTTP, "websocket", "auto"]) {
    await menu.selectOption(name);
    await b.say(`during ${name}`);
    await a.say(`by ${name}`);
    expected.push(`B: during ${name}`, `A: by ${name}`);
    const used = name === "auto" ? "websocket" : name;
    await a.page.waitForSelector(`#state[data-state="open"]:has(#via[data-door="${used}"])`);
    await b.hears("A", `by ${name}`);
    await a.hears("B", `during ${name}`);
    await a.allSent();
    assert.equal(new URL(a.page.url()).searchParams.get("door"), name === "auto" ? null : name);
    const width = await a.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= PHONE.width, `${width} px wide with ${name}`);
  }
  assert.deepEqual((await a.said()).sort(), expected.toSorted());
  assert.deepEqual(await a.said(), await b.said());
  await menu.selectOption("stream");
  await a.page.waitForSelector('#state[data-state="open"]:has(#via[data-door="stream"])');
  await a.shot(join(SHOTS, "doors-phone.png"));
  await a.page.reload();
  await a.page.waitForSelector('#state[data-state="open"]:has(#via[data-door="stream"])');
  assert.equal(await menu.inputValue(), "stream");
  await a.hears("B", "during auto");
});
