// The chat page in headless Chromium against the real server.
//
//   MADANG_BIN=path/of/madang npm test      (SCREENSHOT_DIR and CHROMIUM may be set)

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { Link } from "./link.mjs";
import { Person } from "./person.mjs";
import { DESK, PHONE, SHOTS, Stage, imageShown, picture } from "./stage.mjs";

const stage = new Stage();
const blank = (locale, viewport) => stage.blank(locale, viewport);
const enter = (name, room, how) => stage.enter(name, room, how);

before(() => stage.open());
after(() => stage.close());
afterEach(() => stage.clear());

const joined = (n) => `A new user has joined. ${n} ${n === 1 ? "user" : "users"} here now`;
const left = (n) => `A user has left. ${n} ${n === 1 ? "user" : "users"} here now`;
const joinedKo = (n) => `새로운 유저가 접속했습니다. 현재 유저 ${n} 명`;
const leftKo = (n) => `유저 한명이 떠났습니다. 현재 유저 ${n} 명`;

test("two people talk: text both ways, an image, and everybody's coming and going", async () => {
  const page = await blank("ko-KR", DESK);
  await page.goto(stage.server.url);
  await page.press("#door-name", "Escape");
  await page.press("#door-name", "Escape");
  await page.fill("#door-name", "지우");
  await page.press("#door-name", "Enter");
  const jiu = new Person(page, "지우");
  await jiu.noticed(joinedKo(1));
  const robin = await enter("Robin", "lobby");
  await jiu.noticed(joinedKo(2));
  assert.deepEqual(await robin.notices(), [joined(2)]);
  assert.deepEqual((await robin.names()).sort(), ["Robin", "지우"]);
  assert.deepEqual(await Promise.all([page, robin.page].map((one) => one.getAttribute("html", "lang"))), ["ko", "en"]);

  await jiu.say("안녕하세요! 여기가 마당인가요?");
  await robin.hears("지우", "안녕하세요! 여기가 마당인가요?");
  await robin.say("Hello! Yes, this is the yard.");
  await jiu.hears("Robin", "Hello! Yes, this is the yard.");
  await jiu.sendImage("sunset.png", "image/png", await picture(page, 300, 180, false));
  const shown = await imageShown(robin, "Image from 지우");
  assert.deepEqual(await shown.jsonValue(), [300, "blob"]);
  await imageShown(jiu, "지우 님이 보낸 사진");
  await robin.say("Beautiful. 고마워요!");
  await jiu.hears("Robin", "Beautiful. 고마워요!");
  await jiu.shot(join(SHOTS, "chat-ko.png"));
  await robin.shot(join(SHOTS, "chat-en.png"));

  const late = await enter("Late", "lobby");
  await late.hears("지우", "안녕하세요! 여기가 마당인가요?");
  await imageShown(late, "Image from 지우");
  await jiu.noticed(joinedKo(3));
  await late.page.close();
  await jiu.noticed(leftKo(2));
  await robin.page.close();
  await jiu.noticed(leftKo(1));
  assert.deepEqual(await jiu.notices(), [joinedKo(1), joinedKo(2), joinedKo(3), leftKo(2), leftKo(1)]);
  assert.deepEqual(await jiu.names(), ["지우"]);
});

test("names such as __proto__ are names, and HTML is text", async () => {
  const a = await enter("__proto__", "odd");
  const b = await enter("constructor", "odd");
  const html = `<img src=x onerror="window.broken=1"><b>bold</b>`;
  await a.say(html);
  await b.hears("__proto__", html);
  assert.deepEqual((await b.names()).sort(), ["__proto__", "constructor"]);
  await a.page.close();
  await b.noticed(left(1));
  assert.deepEqual(await b.names(), ["constructor"]);
  const harm = await b.page.evaluate(() => ({
    broken: "broken" in window,
    elements: document.querySelectorAll("#log b, #log img").length,
    prototype: Object.keys(Object.prototype).length,
  }));
  assert.deepEqual(harm, { broken: false, elements: 0, prototype: 0 });
});

test("on a phone: nothing sticks out, a big picture is made smaller, composing Hangul sends nothing", async () => {
  const phone = await enter("민수", "phone", { locale: "ko-KR", viewport: PHONE });
  const desk = await enter("Desk", "phone");
  await desk.say("w".repeat(400));
  await phone.hears("Desk", "w".repeat(400));
  const noise = await picture(desk.page, 1400, 1000, true);
  assert.ok(noise.length > 1024 * 1024, "too big to be sent as it is");
  await desk.sendImage("noise.png", "image/png", noise);
  await imageShown(phone, "Desk 님이 보낸 사진");
  const width = await phone.page.evaluate(() =>
    Math.max(document.documentElement.scrollWidth, document.getElementById("scroll").scrollWidth),
  );
  assert.ok(width <= PHONE.width, `${width} px wide`);
  await phone.page.fill("#compose", "안녀");
  await phone.page.$eval("#compose", (field) => {
    const enter = { key: "Enter", bubbles: true, cancelable: true };
    field.dispatchEvent(new KeyboardEvent("keydown", { ...enter, isComposing: true }));
    field.dispatchEvent(new KeyboardEvent("keydown", { ...enter, shiftKey: true }));
  });
  assert.equal(await phone.page.inputValue("#compose"), "안녀");
  await phone.say("안녕");
  await desk.hears("민수", "안녕");
  assert.deepEqual((await desk.said()).filter((line) => line.startsWith("민수")), ["민수: 안녕"]);
  await phone.shot(join(SHOTS, "chat-phone.png"));
});

test("cuts lose nothing and double nothing, and to the others nobody left", async () => {
  const link = await Link.to(stage.server.port);
  try {
    const far = await enter("Far", "cuts", { url: link.url });
    const near = await enter("Near", "cuts");
    await far.noticed(joined(2));
    const before = await near.notices();

    // Whatever Near says meanwhile reaches Far, whatever Far says reaches Near.
    const expected = [];
    const say = async (person, text) => {
      expected.push(`${person.name}: ${text}`);
      await person.say(text);
    };
    for (let round = 1; round <= 3; round += 1) {
      await say(near, `before cut ${round}`);
      link.cut();
      await far.state("closed");
      await say(near, `during cut ${round}, one`);
      await say(far, `typed during cut ${round}`);
      await say(near, `during cut ${round}, two`);
      link.mend();
      await far.comesBack();
      await near.hears("Far", `typed during cut ${round}`);
      await far.allSent();
    }

    // The server took it, the echo was lost: not to be sent again.
    link.lose("down");
    await say(far, "heard by all but me");
    await near.hears("Far", "heard by all but me");
    link.cut();
    await far.state("closed");
    link.mend();
    await far.comesBack();
    await far.hears("Far", "heard by all but me");
    await far.allSent();

    // The link lost it: to be sent again.
    link.lose("up");
    await say(far, "lost on the way");
    await link.lostSomething();
    link.cut();
    await far.state("closed");
    link.mend();
    await far.comesBack();
    await near.hears("Far", "lost on the way");
    await far.allSent();

    await say(near, "the end");
    await far.hears("Near", "the end");
    await near.allSent();
    assert.deepEqual((await far.said()).sort(), expected.toSorted());
    assert.deepEqual(await far.said(), await near.said(), "both saw the same order");
    assert.deepEqual(await near.notices(), before, "a quick return is not a leave and a join");
    assert.equal((await far.notices()).length, 2);
  } finally {
    link.close();
  }
});

test("the server is killed and started again: the page says so, and sends what was typed once", async () => {
  const a = await enter("A", "restart");
  const b = await enter("B", "restart", { locale: "ko-KR" });
  await a.say("before");
  await b.hears("A", "before");
  await stage.server.end("SIGKILL");
  await Promise.all([a.state("closed"), b.state("closed")]);
  await a.say("typed meanwhile");
  await b.say("그동안 쓴 글");
  assert.equal(await a.page.locator("#outbox li").count(), 1);
  await stage.server.start();
  await a.page.waitForSelector("#log .notice.gap");
  await b.page.waitForSelector("#log .notice.gap");
  assert.equal(await a.page.textContent("#log .notice.gap"), "Some messages may have been lost.");
  await a.hears("B", "그동안 쓴 글");
  await b.hears("A", "typed meanwhile");
  await Promise.all([a.allSent(), b.allSent()]);
  await a.say("after");
  // Each gets it on a connection of its own.
  await Promise.all([a.hears("A", "after"), b.hears("A", "after")]);
  for (const person of [a, b]) {
    assert.deepEqual((await person.said()).sort(), ["A: after", "A: before", "A: typed meanwhile", "B: 그동안 쓴 글"]);
    assert.equal(await person.page.locator("#log .notice.gap").count(), 1);
  }
});

test("a server that stops says so, in the reader's words, and leaves in order", async () => {
  const a = await enter("A", "stop");
  const b = await enter("B", "stop", { locale: "ko-KR" });
  assert.equal(await stage.server.end("SIGTERM"), 0);
  await Promise.all([a.state("closed"), b.state("closed")]);
  const [english, korean] = [await a.states(), await b.states()];
  assert.ok(english.some((words) => words.includes("the server is stopping or restarting (code 1001")), english.join("\n"));
  assert.ok(korean.some((words) => words.includes("서버가 멈추거나 다시 시작하고 있습니다 (코드 1001")), korean.join("\n"));
  await stage.server.start();
  await Promise.all([a.state("open"), b.state("open")]);
  await a.page.click("#leave");
  await a.state("closed");
  assert.equal(await a.page.isVisible("#retry"), true);
  await a.page.click("#retry");
  await a.state("open");
});
