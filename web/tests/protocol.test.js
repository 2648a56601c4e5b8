import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../outbox.js";
import { People } from "../people.js";
import {
  cleanName,
  cleanRoom,
  encodeText,
  imageType,
  parseBinary,
  parseText,
  readFrame,
  readPage,
  roomProblem,
  socketUrl,
  splitText,
  topicUrl,
} from "../protocol.js";
import { closeWords, wordsFor } from "../words.js";
import { binaryFrame } from "./fakes.js";

test("what has data is a message, whatever its event is called", () => {
  const frame = parseText('{"topic":"t","id":"e-1","event":"join","data":{"a":1},"time":5}');
  assert.deepEqual(frame, {
    kind: "message", id: "e-1", event: "join", user: null, nick: null, time: 5, data: { a: 1 }, bytes: null,
  });
  assert.equal(parseText('{"data":null}').kind, "message");
});

test("presence without a sane count or list says so", () => {
  assert.deepEqual(parseText('{"event":"leave","user":"a","count":2,"id":"e-1"}'), {
    kind: "presence", id: "e-1", event: "leave", user: "a", count: 2, users: null,
  });
  const odd = parseText('{"event":"join","user":5,"count":-1,"users":["a",3,null]}');
  assert.deepEqual([odd.user, odd.count, odd.users], [null, null, ["a"]]);
});

test("fields come from the frame alone, never from a prototype", () => {
  const frame = parseText('{"__proto__":{"data":"x","event":"join"},"event":"gap","id":"e-9"}');
  assert.deepEqual(frame, { kind: "gap", id: "e-9" });
  assert.equal(parseText('{"constructor":1}').kind, "unknown");
});

test("a time that no Date can hold is no time", () => {
  assert.equal(parseText('{"data":"x","time":1e300}').time, null);
});

test("a binary frame is its head and its bytes", () => {
  const frame = parseBinary(binaryFrame({ id: "e-2", user: "밤", time: 3 }, Uint8Array.of(1, 2, 3)));
  assert.equal(frame.kind, "message");
  assert.deepEqual([frame.id, frame.user, frame.time, frame.event], ["e-2", "밤", 3, "message"]);
  assert.deepEqual([...frame.bytes], [1, 2, 3]);
  const broken = new Uint8Array(binaryFrame({ id: "x" }, Uint8Array.of()));
  broken[4] = 0xff;
  assert.equal(parseBinary(broken.buffer).kind, "unknown");
});

test("a message of the HTTP doors: base64 is bytes, and a picture may bring its sender's name", () => {
  const frame = readFrame({ id: "e-1", data: "AQID", encoding: "base64", headers: { nick: "%EB%B0%A4" } });
  assert.deepEqual([frame.kind, frame.data, [...frame.bytes], frame.nick], ["message", null, [1, 2, 3], "밤"]);
  assert.equal(readFrame({ data: "AQID" }).data, "AQID");
  assert.equal(readFrame({ data: "x", headers: { nick: "%" } }).nick, null);
  for (const broken of ["A", "AQ*D", 5, null]) {
    assert.equal(readFrame({ data: broken, encoding: "base64" }).kind, "unknown");
  }
});

test("an answer of messages is checked", () => {
  const page = readPage({ messages: [{ data: "x", id: "e-1" }, 5], next: "e-1", gap: true });
  assert.deepEqual([page.frames.map(({ kind }) => kind), page.next, page.gap], [["message", "unknown"], "e-1", true]);
  for (const other of [null, [], {}, { messages: [] }, { messages: {}, next: "e-1" }]) assert.equal(readPage(other), null);
});

test("a topic is one segment of the path", () => {
  assert.equal(topicUrl("http://h", "ns/방?"), "http://h/topics/ns%2F%EB%B0%A9%3F");
  assert.equal(topicUrl("", "a", "sse", { since: "e-1,f-2" }), "/topics/a/sse?since=e-1%2Cf-2");
});

test("nick and text come apart as they were put together", () => {
  for (const [name, text] of [["a", "hello: world"], ["__proto__", "x"], ["밤", ""], ["a b", "l1\nl2"]]) {
    assert.deepEqual(splitText(encodeText(name, text), name), { author: name, text });
    assert.deepEqual(splitText(encodeText(name, text), null), { author: name, text });
  }
  assert.deepEqual(splitText("admin: obey", "mallory"), { author: "mallory", text: "admin: obey" });
  assert.deepEqual(splitText("no colon here", null), { author: null, text: "no colon here" });
  assert.deepEqual(splitText("line\nbreak: x", null), { author: null, text: "line\nbreak: x" });
});

test("lone surrogates are replaced before they are sent, as the wire would", () => {
  assert.equal(encodeText("a", "x\ud800y"), "a: x\ufffdy");
  assert.equal(encodeText("a", "\ufeffbom"), "a: \ufeffbom");
});

test("names and rooms are cleaned", () => {
  assert.equal(cleanName("  a:\tb\u2028c  "), "a b c");
  assert.equal([...cleanName("🐦".repeat(40))].length, 32);
  assert.equal(cleanRoom(" a\u0000b "), "ab");
  assert.deepEqual(
    ["", "가".repeat(86), "madang.x", "..", "ns/T", "__proto__"].map(roomProblem),
    ["empty", "long", "reserved", "dots", null, null],
  );
});

test("the address is one segment and encoded values", () => {
  const url = socketUrl("ws://h", { room: "ns/방?", name: "a&b c", session: "s", cursor: "e-1" });
  assert.equal(url, "ws://h/ws/ns%2F%EB%B0%A9%3F?envelope=json&presence=1&name=a%26b%20c&session=s&since=e-1");
});

test("images are known by their first bytes, and nothing else is an image", () => {
  const bytes = (text) => Uint8Array.from(text.padEnd(16, "\0"), (letter) => letter.charCodeAt(0));
  assert.equal(imageType(bytes("\x89PNG\r\n\x1a\n")), "image/png");
  assert.equal(imageType(bytes("\xff\xd8\xff\xe0")), "image/jpeg");
  assert.equal(imageType(bytes("GIF89a")), "image/gif");
  assert.equal(imageType(bytes("RIFF....WEBPVP8 ")), "image/webp");
  assert.equal(imageType(bytes("\0\0\0 ftypavif")), "image/avif");
  for (const other of ["<svg xmlns=", "<html><script>", "RIFF....WAVE", ""]) {
    assert.equal(imageType(bytes(other)), null);
  }
});

test("people are counted by name, whatever the name", () => {
  const people = new People();
  people.reset(["a", "__proto__", "a"], 3);
  assert.equal(people.change("join", "constructor", 4), 4);
  assert.equal(people.change("leave", "a", 3), 3);
  people.change("leave", "stranger", 3);
  assert.deepEqual(people.names.map(([name, n]) => `${name} ${n}`), ["__proto__ 1", "a 1", "constructor 1"]);
  assert.equal(people.change("leave", null, null), 2);
});

test("the outbox has an end", () => {
  const outbox = new Outbox();
  while (outbox.addImage(new Uint8Array(1024 * 1024)));
  assert.equal(outbox.entries.length, 16);
  const words = new Outbox();
  while (words.addText("a", "x"));
  assert.equal(words.entries.length, 200);
});

test("another name takes over what waits, and leaves alone what was sent", () => {
  const outbox = new Outbox();
  outbox.addText("old", "one");
  outbox.addText("old", "two");
  outbox.sent(outbox.next(), "old");
  outbox.carry("new");
  assert.deepEqual(outbox.entries.map(({ payload, state }) => [payload, state]), [
    ["old: one", "unsure"],
    ["new: two", "queued"],
  ]);
  outbox.discard(outbox.entries[0].key);
  assert.equal(outbox.entries.length, 1);
});

test("both languages say everything", () => {
  const korean = wordsFor(["ko-KR", "en"], null);
  const english = wordsFor(["en-US", "ko"], null);
  assert.deepEqual([korean.lang, english.lang, wordsFor([], null).lang], ["ko", "en", "en"]);
  assert.equal(wordsFor(["en"], "ko"), korean);
  assert.deepEqual(Object.keys(korean), Object.keys(english));
  assert.deepEqual([...korean.codes.keys()], [...english.codes.keys()]);
  assert.deepEqual([...korean.roomProblems.keys()], [...english.roomProblems.keys()]);
  assert.equal(korean.joined(2), "새로운 유저가 접속했습니다. 현재 유저 2 명");
  assert.equal(korean.left(1), "유저 한명이 떠났습니다. 현재 유저 1 명");
});

test("a close is told in words, with the server's reason", () => {
  const english = wordsFor(["en"], null);
  assert.equal(closeWords(english, 1008, "M503 slow consumer"), "it was closed by a rule of the server (code 1008: M503 slow consumer)");
  assert.equal(closeWords(english, 4999, ""), "the connection was closed (code 4999)");
  assert.equal(closeWords(english, null, ""), "");
});

test("an equal picture of somebody else is not our own", () => {
  const outbox = new Outbox();
  outbox.addImage(Uint8Array.of(1, 2, 3));
  outbox.sent(outbox.next(), "Robin");
  const picture = { user: null, nick: null, data: null, bytes: Uint8Array.of(1, 2, 3), id: "e-1" };
  assert.equal(outbox.echo({ ...picture, nick: "Jiu" }), false);
  assert.equal(outbox.echo({ ...picture, user: "Jiu" }), false);
  assert.equal(outbox.echo({ ...picture, user: "Robin" }), true);
});
