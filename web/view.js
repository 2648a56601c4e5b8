// What the page shows. Words of other people enter it by `textContent` alone, never as HTML.

import { imageType, splitText } from "./protocol.js";
import { closeWords } from "./words.js";

const ENTRIES = 500;
const PICTURE_BYTES = 64 * 1024 * 1024;
const NEAR_END = 60;
const TOGETHER = 5 * 60 * 1000;
const TONES = 6;

export class View {
  #words;
  #at;
  #stuck = true; // to the end of the log
  #top = 0;
  #frame = null;
  #items = new Map(); // of the outbox, by key
  #last = null; // the newest entry, if it is something said: {author, time}
  #pictures = []; // oldest first: {bubble, url, size, alt}
  #pictureBytes = 0;
  #clock;

  constructor(words) {
    this.#words = words;
    this.#at = (id) => document.getElementById(id);
    this.#clock = new Intl.DateTimeFormat(words.lang, { hour: "numeric", minute: "2-digit" });
    this.#translate();
    const scroll = this.#at("scroll");
    scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(scroll);
    this.#at("newer").addEventListener("click", () => this.toEnd());
  }

  #translate() {
    document.documentElement.lang = this.#words.lang;
    for (const element of document.querySelectorAll("[data-word]")) {
      element.textContent = this.#words[element.dataset.word];
    }
    for (const element of document.querySelectorAll("[data-label]")) {
      element.setAttribute("aria-label", this.#words[element.dataset.label]);
    }
    this.#at("compose").placeholder = this.#words.composeHint;
    this.#at("attach").title = this.#words.image;
    document.querySelector("main").dataset.drop = this.#words.drop;
  }

  /** The menu of the doors, the chosen one chosen. */
  ways(doors, automatic, chosen) {
    const options = doors.map(({ name, labels }) => new Option(labels[this.#words.lang], name));
    const menu = this.#at("way");
    menu.replaceChildren(new Option(this.#words.automatic, automatic), ...options);
    menu.value = chosen;
  }

  /** We are in a room: an empty log, our name and the room's above it. */
  enter(name, room) {
    for (const picture of this.#pictures) URL.revokeObjectURL(picture.url);
    this.#pictures = [];
    this.#pictureBytes = 0;
    this.#last = null;
    this.#at("log").replaceChildren();
    this.#at("room").textContent = room;
    this.#at("me").textContent = name;
    const { change } = this.#words;
    this.#at("change").setAttribute("aria-label", `${change}: ${name}, ${room}`);
    this.toEnd();
  }

  /** The connection's state, with the reason when it ended. */
  state({ name, code, reason, retryAt, door }) {
    const why = name === "closed" ? closeWords(this.#words, code, reason) : "";
    const state = this.#at("state");
    state.dataset.state = name;
    this.#at("state-words").textContent = this.#words[name] + (why === "" ? "" : `: ${why}`);
    const via = this.#at("via");
    via.dataset.door = door.name;
    via.textContent = name === "closed" ? "" : `· ${door.labels[this.#words.lang]}`;
    if (name !== "open") this.busy(name === "connecting");
    const [retry, leave] = [this.#at("retry"), this.#at("leave")];
    const focused = document.activeElement;
    retry.hidden = name !== "closed";
    leave.hidden = name === "closing" || (name === "closed" && retryAt === null);
    // A button that goes must not take the keyboard's place in the page with it.
    if (focused === leave && leave.hidden && !retry.hidden) retry.focus();
    if ((focused === retry && retry.hidden) || (focused === leave && leave.hidden && retry.hidden)) {
      this.#at("compose").focus();
    }
  }

  /** While history comes in, a screen reader stays quiet. */
  busy(yes) {
    this.#at("log").setAttribute("aria-busy", String(yes));
  }

  /** Seconds to the next try, or null. */
  countdown(seconds) {
    const text = seconds === null ? "" : this.#words.retryIn(seconds);
    const element = this.#at("countdown");
    if (element.textContent !== text) element.textContent = text;
  }

  /** A publication of any kind. */
  message(message, me) {
    const spoken = typeof message.data === "string" && message.bytes === null;
    const { author, text } = spoken
      ? splitText(message.data, message.user)
      : { author: message.user ?? message.nick, text: JSON.stringify(message.data) };
    const name = author ?? this.#words.nobody;
    const bubble = make("div", "bubble");
    if (message.bytes !== null) this.#binary(bubble, message.bytes, name);
    else bubble.textContent = text;
    if (!spoken && message.bytes === null) bubble.classList.add("json");
    if (message.event !== "message") bubble.prepend(make("div", "event", message.event));
    bubble.dir = "auto";
    this.#append(this.#said(bubble, { name, mine: author !== null && author === me, time: message.time }));
    this.#last = { author: name, time: message.time ?? 0 };
  }

  #said(bubble, { name, mine, time }) {
    const last = this.#last;
    const follows = last !== null && last.author === name && (time ?? 0) - last.time < TOGETHER;
    const article = make("article", `said t${tone(name)}`);
    article.classList.toggle("mine", mine);
    article.classList.toggle("follows", follows);
    const who = make("div", "who", mine ? `${name} (${this.#words.you})` : name);
    who.dir = "auto";
    const row = make("div", "row");
    row.append(bubble);
    if (time !== null) {
      const date = new Date(time);
      const element = make("time", "", this.#clock.format(date));
      element.dateTime = date.toISOString();
      element.title = date.toLocaleString(this.#words.lang);
      row.append(element);
    }
    article.append(who, row);
    return article;
  }

  #binary(bubble, bytes, name) {
    const type = imageType(bytes);
    if (type === null) {
      bubble.textContent = this.#words.binary(size(bytes.length));
      return;
    }
    const alt = this.#words.imageFrom(name);
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    const image = make("img");
    image.alt = alt;
    image.addEventListener("load", () => this.#follow());
    image.addEventListener("error", () => {
      bubble.classList.remove("picture");
      bubble.textContent = this.#words.imageBroken;
    });
    image.src = url;
    bubble.classList.add("picture");
    bubble.append(image);
    this.#pictures.push({ bubble, url, size: bytes.length, alt });
    this.#pictureBytes += bytes.length;
    while (this.#pictureBytes > PICTURE_BYTES) this.#dropPicture(this.#pictures[0]);
  }

  #dropPicture(picture) {
    this.#pictures.splice(this.#pictures.indexOf(picture), 1);
    this.#pictureBytes -= picture.size;
    URL.revokeObjectURL(picture.url);
    picture.bubble.classList.remove("picture");
    picture.bubble.textContent = picture.alt;
  }

  /** A line that nobody said. `kind` is a class: `join`, `leave`, `gap`. */
  notice(text, kind) {
    this.#append(make("p", `notice ${kind}`, text));
    this.#last = null;
  }

  #append(element) {
    const log = this.#at("log");
    log.append(element);
    while (log.childElementCount > ENTRIES) {
      const oldest = log.firstElementChild;
      const gone = this.#pictures.filter((picture) => oldest.contains(picture.bubble));
      for (const picture of gone) this.#dropPicture(picture);
      oldest.remove();
    }
    this.#at("newer").hidden = this.#stuck;
    this.#follow();
  }

  /** How many are here, where nobody tells who; `count` is null as long as it is not known. */
  headcount(count) {
    this.#at("count").textContent = count === null ? "" : this.#words.peopleCount(count);
    this.#at("names").replaceChildren();
    this.#at("more").hidden = false;
    this.#at("more").textContent = this.#words.countOnly;
  }

  /** Those who are here: `names` are pairs of name and sessions. */
  people(names, count, me) {
    this.#at("count").textContent = this.#words.peopleCount(count);
    let known = 0;
    const items = names.map(([name, sessions]) => {
      known += sessions;
      const item = make("li", `t${tone(name)}`);
      const face = make("span", "face", [...name][0]?.toUpperCase() ?? "?");
      face.setAttribute("aria-hidden", "true");
      const label = make("span", "name", name);
      label.dir = "auto";
      item.append(face, label);
      const tags = [name === me ? this.#words.you : "", sessions > 1 ? `×${sessions}` : ""];
      const tag = tags.filter((text) => text !== "").join(" ");
      if (tag !== "") item.append(make("span", "tag", tag));
      return item;
    });
    this.#at("names").replaceChildren(...items);
    const more = this.#at("more");
    more.hidden = count <= known;
    more.textContent = this.#words.more(count - known);
  }

  /** What we said and have not heard back; `act` hears `again(key)` and `discard(key)`. */
  outbox(entries, act) {
    const list = this.#at("outbox");
    const gone = this.#items;
    this.#items = new Map();
    for (const entry of entries) {
      let item = gone.get(entry.key);
      gone.delete(entry.key);
      if (item?.dataset.state !== entry.state) {
        const fresh = this.#unheard(entry, act);
        // What is queued anew goes to the end of the line.
        if (item === undefined || entry.state === "queued") list.append(fresh);
        else item.after(fresh);
        item?.remove();
        item = fresh;
      }
      this.#items.set(entry.key, item);
    }
    for (const item of gone.values()) item.remove();
    this.#follow();
  }

  #unheard(entry, act) {
    const item = make("li", "said mine");
    item.dataset.state = entry.state;
    const text = entry.text ?? `${this.#words.picture}, ${size(entry.bytes.length)}`;
    const fate = make("div", "fate", this.#words[entry.state]);
    if (entry.state === "unsure") {
      fate.append(
        button(this.#words.again, () => act.again(entry.key)),
        button(this.#words.discard, () => act.discard(entry.key)),
      );
    }
    const row = make("div", "row");
    row.append(make("div", "bubble", text));
    item.append(row, fate);
    return item;
  }

  /** A sentence about what went wrong here, or null to take it away. */
  problem(text) {
    this.#at("problem").hidden = text === null;
    this.#at("problem-words").textContent = text ?? "";
  }

  /** The window's title, with the number of messages that came while nobody looked. */
  title(room, unread) {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${room} · Madang 마당`;
  }

  /** Shows the newest entry and stays with what follows. */
  toEnd() {
    this.#stuck = true;
    this.#at("newer").hidden = true;
    this.#follow();
  }

  // Once for each frame, however much comes in: to know its height, the browser must lay out the log.
  #follow() {
    const scroll = this.#at("scroll");
    scroll.classList.toggle("stuck", this.#stuck);
    if (!this.#stuck || this.#frame !== null) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = null;
      if (this.#stuck) scroll.scrollTop = scroll.scrollHeight;
    });
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#at("scroll");
    const near = scrollHeight - scrollTop - clientHeight < NEAR_END;
    // Only going up leaves the end; what was added below and is not followed yet does not.
    if (near || scrollTop < this.#top) this.#stuck = near;
    this.#top = scrollTop;
    this.#at("scroll").classList.toggle("stuck", this.#stuck);
    if (this.#stuck) this.#at("newer").hidden = true;
  }
}

function make(tag, classes = "", text = "") {
  const element = document.createElement(tag);
  if (classes !== "") element.className = classes;
  if (text !== "") element.textContent = text;
  return element;
}

function button(text, act) {
  const element = make("button", "quiet", text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

// The same name has the same colour on every page.
function tone(name) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 65_521;
  return hash % TONES;
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${Math.round(bytes / 1024)} KiB`;
}
