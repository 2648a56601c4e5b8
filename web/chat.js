// The chat page: puts the connection, the outbox and the view together.

import { Connection } from "./connection.js";
import { AUTOMATIC, Choice, DOORS } from "./doors.js";
import { Headcount } from "./headcount.js";
import { imageBytes } from "./images.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { byteLength, cleanName, cleanRoom, encodeText, MESSAGE_LIMIT, roomProblem } from "./protocol.js";
import { View } from "./view.js";
import { wordsFor } from "./words.js";

const LOBBY = "lobby";
const KEY = "madang.here";
const LAST_NAME = "madang.name";

const query = new URLSearchParams(location.search);
const words = wordsFor(navigator.languages, query.get("lang"));
const view = new View(words);
const people = new People();
const outboxes = new Map(); // by room: what is unsent stays when one leaves and comes back

const at = (id) => document.getElementById(id);
const clock = {
  now: () => Date.now(),
  setTimeout: (act, delay) => setTimeout(act, delay),
  clearTimeout: (timer) => clearTimeout(timer),
};

// By this and an entry's key the server knows the entries of this visit; a reload is another visit.
const visit = newKey();
let way = new Choice(DOORS, query.get("door")).name;
let here = null; // {name, room, session, outbox, headcount, connection}
let kept = takeKept(); // the same before a reload
let unread = 0;

// ---- entering -------------------------------------------------------------------------------

function enter(name, room) {
  if (here?.name === name && here.room === room) return;
  here?.connection.dispose();
  here?.headcount.stop();
  const outbox = outboxes.get(room) ?? new Outbox();
  outbox.carry(name);
  outboxes.set(room, outbox);
  // The session key lets the server take a quick return for the same visit.
  const session = kept?.name === name && kept.room === room ? kept.session : newKey();
  kept = null;
  const world = worldFor(name, session);
  const tell = {
    state: stateChanged,
    message: messageCame,
    presence: presenceChanged,
    ready: () => view.busy(false),
    gap: gapCame,
    outbox: showOutbox,
  };
  const choice = new Choice(DOORS, way);
  const connection = new Connection({ room, choice, world, outbox, tell, random: Math.random });
  here = { name, room, session, outbox, headcount: new Headcount(room, world, view.headcount.bind(view)), connection };
  keep(localStorage, LAST_NAME, name);
  address(room);
  view.enter(name, room);
  people.reset([], 0);
  showPeople();
  showOutbox();
  look();
  here.connection.start();
}

// What the doors use of the browser, and who we are.
function worldFor(name, session) {
  return {
    base: location.origin,
    socketBase: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`,
    name,
    session,
    visit,
    clock,
    fetch: (url, options) => fetch(url, options),
    WebSocket: globalThis.WebSocket,
    EventSource: globalThis.EventSource,
  };
}

function newKey() {
  // `crypto.randomUUID` is missing where the page came by plain HTTP from another machine.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function address(room) {
  const url = new URL(location.href);
  if (room === LOBBY) url.searchParams.delete("room");
  else url.searchParams.set("room", room);
  if (way === AUTOMATIC) url.searchParams.delete("door");
  else url.searchParams.set("door", way);
  url.searchParams.delete("name");
  history.replaceState(null, "", url);
}

// A tab that is duplicated copies the storage of the first; so the key is there only while no page
// is: taken out on load, put back when the page goes.
function takeKept() {
  const json = recall(sessionStorage, KEY);
  keep(sessionStorage, KEY, null);
  try {
    const { name, room, session } = JSON.parse(json ?? "null") ?? {};
    return [name, room, session].every((part) => typeof part === "string") ? { name, room, session } : null;
  } catch {
    return null;
  }
}

function keepHere() {
  if (here === null) return;
  const { name, room, session } = here;
  keep(sessionStorage, KEY, JSON.stringify({ name, room, session }));
}

function recall(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null; // storage may be forbidden
  }
}

function keep(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    // Without storage the page only forgets the name on reload.
  }
}

// ---- what the connection tells ----------------------------------------------------------------

function stateChanged(state) {
  view.state(state);
  countdown();
  if (state.name === "open" && !state.door.presence) here.headcount.start();
  else here.headcount.stop();
}

function messageCame(message, { mine, replay }) {
  // What is published by POST comes without a name; our own pictures we know.
  view.message(mine ? { ...message, user: message.user ?? here.name } : message, here.name);
  if (replay || !document.hidden) return;
  unread += 1;
  view.title(here.room, unread);
}

function presenceChanged(event, { own, again }) {
  if (own) {
    people.reset(event.users ?? [here.name], event.count);
    if (!again) view.notice(words.joined(people.count), "join");
  } else {
    const count = people.change(event.event, event.user, event.count);
    view.notice(event.event === "join" ? words.joined(count) : words.left(count), event.event);
  }
  showPeople();
}

function gapCame() {
  view.notice(words.gap, "gap");
}

function showPeople() {
  view.people(people.names, people.count, here.name);
}

function showOutbox() {
  const { outbox, connection } = here;
  const waiting = outbox.entries.length > 0;
  view.outbox(outbox.entries, {
    again(key) {
      outbox.again(key);
      connection.pump();
      showOutbox();
    },
    discard(key) {
      outbox.discard(key);
      showOutbox();
    },
  });
  window.onbeforeunload = waiting ? (event) => event.preventDefault() : null;
}

function countdown() {
  const retryAt = here?.connection?.state.retryAt ?? null;
  view.countdown(retryAt === null ? null : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)));
}

// ---- what the person does ---------------------------------------------------------------------

function say() {
  const text = at("compose").value.trimEnd();
  if (here === null || text.trim() === "") return;
  if (byteLength(encodeText(here.name, text)) > MESSAGE_LIMIT) {
    view.problem(words.textTooBig);
    return;
  }
  if (!here.outbox.addText(here.name, text)) {
    view.problem(words.outboxFull);
    return;
  }
  at("compose").value = "";
  send();
}

// One after the other, so that images leave in the order in which they were chosen.
let images = Promise.resolve();

function sendImages(files) {
  const { outbox } = here;
  for (const file of files) {
    images = images.then(async () => {
      const { bytes, problem } = await imageBytes(file);
      if (problem !== undefined) view.problem(words[problem]);
      else if (!outbox.addImage(bytes)) view.problem(words.outboxFull);
      else send();
    });
  }
}

function send() {
  view.problem(null);
  view.toEnd();
  showOutbox();
  here.connection.pump();
}

function chooseWay(name) {
  way = name;
  if (here === null) return;
  address(here.room);
  here.connection.use(new Choice(DOORS, way));
}

function look() {
  unread = 0;
  if (here !== null) view.title(here.room, unread);
}

function openDoor() {
  const name = here?.name ?? recall(localStorage, LAST_NAME) ?? words.guest(100 + Math.floor(Math.random() * 900));
  at("door-name").value = name;
  at("door-room").value = here?.room ?? wantedRoom;
  at("door-cancel").hidden = here === null;
  at("door-problem").textContent = "";
  at("door").showModal();
  at("door-name").select();
}

function throughDoor(event) {
  event.preventDefault();
  const name = cleanName(at("door-name").value);
  const room = cleanRoom(at("door-room").value);
  const problem = name === "" ? words.nameProblem : words.roomProblems.get(roomProblem(room));
  at("door-problem").textContent = problem ?? "";
  if (problem !== undefined) {
    at(name === "" ? "door-name" : "door-room").focus();
    return;
  }
  at("door").close();
  enter(name, room);
  at("compose").focus();
}

function listen() {
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    say();
  });
  at("compose").addEventListener("keydown", (event) => {
    // Enter that ends a Hangul composition is not meant for us; Safari says it by 229 alone.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    say();
  });
  at("compose").addEventListener("paste", (event) => {
    const files = imagesOf(event.clipboardData);
    // What an office program copies is text first, with a picture of the text beside it.
    if (files.length === 0 || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    sendImages(files);
  });
  at("image").addEventListener("change", (event) => {
    sendImages([...event.target.files]);
    event.target.value = "";
  });
  at("retry").addEventListener("click", () => here.connection.start());
  at("leave").addEventListener("click", () => here.connection.stop());
  at("way").addEventListener("change", (event) => chooseWay(event.target.value));
  at("dismiss").addEventListener("click", () => {
    view.problem(null);
    at("compose").focus();
  });
  at("change").addEventListener("click", openDoor);
  at("door-form").addEventListener("submit", throughDoor);
  at("door-cancel").addEventListener("click", () => at("door").close());
  // There is nothing behind the door before one has entered. (The second Escape cannot be prevented.)
  at("door").addEventListener("close", () => {
    if (here === null) openDoor();
  });
  listenToWindow();
}

function listenToWindow() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || at("door").open) return;
    if (!at("problem").hidden) view.problem(null);
    else if (!wide.matches) at("people").open = false;
    at("compose").focus();
  });
  window.addEventListener("dragover", (event) => {
    if (here === null || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dropping");
  });
  window.addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (here === null || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    sendImages([...event.dataTransfer.files]);
  });
  window.addEventListener("online", hurry);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      keep(sessionStorage, KEY, null);
      hurry();
    }
  });
  window.addEventListener("pagehide", keepHere);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    look();
    hurry();
  });
}

// Where a try is due sooner or later, it is due now.
function hurry() {
  if (here !== null && here.connection.state.retryAt !== null) here.connection.start();
}

function imagesOf(transfer) {
  return [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));
}

// ---- the start --------------------------------------------------------------------------------

const wide = matchMedia("(min-width: 48rem)");
const openPeople = () => {
  at("people").open = wide.matches;
};
wide.addEventListener("change", openPeople);
openPeople();
view.ways(DOORS, AUTOMATIC, way);
listen();
setInterval(countdown, 250);

const asked = cleanRoom(query.get("room") ?? "");
const wantedRoom = roomProblem(asked) === null ? asked : LOBBY;
const knownName = cleanName(query.get("name") ?? kept?.name ?? "");
if (knownName === "") openDoor();
else enter(knownName, wantedRoom);
