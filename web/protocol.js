// What the server's frames mean, and what ours look like. No DOM, no socket: bytes in, plain records out.
//
// Every field is read by its own name and checked; a name that a peer chose is never used as an
// object key (`__proto__` is a fine nickname).

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The largest message that the server takes by default, in bytes. */
export const MESSAGE_LIMIT = 1024 * 1024;
/** The longest topic name, in bytes of UTF-8. */
export const TOPIC_LIMIT = 255;
/** The longest nickname, in code points. */
export const NAME_LIMIT = 32;

/** A text frame from the server: a message, a presence event, a gap, or something unknown. */
export function parseText(text) {
  try {
    return readFrame(JSON.parse(text));
  } catch {
    return { kind: "unknown" };
  }
}

/** The same of a JSON value, as the HTTP doors give it: there a binary body is base64, and says so. */
export function readFrame(json) {
  if (!isRecord(json)) return { kind: "unknown" };
  if (Object.hasOwn(json, "data")) {
    if (own(json, "encoding") !== "base64") return { kind: "message", ...head(json), data: json.data, bytes: null };
    const bytes = fromBase64(json.data);
    return bytes === null ? { kind: "unknown" } : { kind: "message", ...head(json), data: null, bytes };
  }
  const { id, event, user } = head(json);
  if (event === "gap") return { kind: "gap", id };
  if (event === "refused") return { kind: "refused" };
  if (event === "join" || event === "leave") {
    const count = own(json, "count");
    const users = own(json, "users");
    return {
      kind: "presence",
      id,
      event,
      user,
      count: Number.isSafeInteger(count) && count >= 0 ? count : null,
      users: Array.isArray(users) ? users.filter((name) => typeof name === "string") : null,
    };
  }
  return { kind: "unknown" };
}

/** A binary frame from the server: u32 length of the head (big endian), JSON head, then the body's bytes. */
export function parseBinary(buffer) {
  if (buffer.byteLength < 4) return { kind: "unknown" };
  const length = new DataView(buffer).getUint32(0);
  if (length > buffer.byteLength - 4) return { kind: "unknown" };
  let json;
  try {
    json = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
  } catch {
    return { kind: "unknown" };
  }
  if (!isRecord(json)) return { kind: "unknown" };
  return { kind: "message", ...head(json), data: null, bytes: new Uint8Array(buffer, 4 + length) };
}

/** What `/messages` answers: `{frames, next, gap}`, or null when it is no such answer. */
export function readPage(json) {
  if (!isRecord(json)) return null;
  const [messages, next] = [own(json, "messages"), own(json, "next")];
  if (!Array.isArray(messages) || typeof next !== "string") return null;
  return { frames: messages.map(readFrame), next, gap: own(json, "gap") === true };
}

/** The bytes of standard base64, or null. */
export function fromBase64(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** The frame that says `text` in the name of `name`: plain words, so that bare clients read it too. */
export function encodeText(name, text) {
  return wellFormed(`${name}: ${text}`);
}

/** Who said it and what, from a plain `nick: text` and from the publisher's name where it is known. */
export function splitText(data, user) {
  if (user !== null) {
    const start = `${user}: `;
    return { author: user, text: data.startsWith(start) ? data.slice(start.length) : data };
  }
  const colon = data.indexOf(": ");
  if (colon > 0 && colon <= 2 * NAME_LIMIT && !data.slice(0, colon).includes("\n")) {
    return { author: data.slice(0, colon), text: data.slice(colon + 2) };
  }
  return { author: null, text: data };
}

/** The address of a topic's socket. `cursor` is the last id seen, or `earliest`. */
export function socketUrl(base, { room, name, session, cursor }) {
  const query = [
    "envelope=json",
    "presence=1",
    `name=${encodeURIComponent(name)}`,
    `session=${encodeURIComponent(session)}`,
    `since=${encodeURIComponent(cursor)}`,
  ];
  return `${base}/ws/${encodeURIComponent(room)}?${query.join("&")}`;
}

/** The address of a topic's door over HTTP, `what` being `messages`, `stream`, `sse` or `presence`, or of the topic. */
export function topicUrl(base, room, what = "", query = {}) {
  const path = `${base}/topics/${encodeURIComponent(room)}${what === "" ? "" : `/${what}`}`;
  const pairs = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
}

/** A nickname without what would break `nick: text`: no control characters, no colon, bounded. */
export function cleanName(raw) {
  const flat = wellFormed(raw).replace(/[\p{Cc}\p{Zl}\p{Zp}:]/gu, " ").replace(/\s+/g, " ").trim();
  return [...flat].slice(0, NAME_LIMIT).join("").trim();
}

/** A room's name as typed, without control characters around or inside. */
export function cleanRoom(raw) {
  return wellFormed(raw).replace(/\p{Cc}/gu, "").trim();
}

/** Why a cleaned room name cannot be a topic of ours: `empty`, `long`, `reserved`, `dots`; or null. */
export function roomProblem(room) {
  if (room === "") return "empty";
  if (byteLength(room) > TOPIC_LIMIT) return "long";
  if (room.startsWith("madang.")) return "reserved";
  // A URL's path swallows these two, even percent-encoded.
  if (room === "." || room === "..") return "dots";
  return null;
}

/** The media type of an image that every browser shows, from its first bytes; or null. */
export function imageType(bytes) {
  const ascii = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes.length < 12) return null;
  if (bytes[0] === 0x89 && ascii(1, 8) === "PNG\r\n\x1a\n") return "image/png";
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "image/jpeg";
  if (ascii(0, 6) === "GIF87a" || ascii(0, 6) === "GIF89a") return "image/gif";
  if (ascii(0, 4) === "RIFF" && ascii(8, 12) === "WEBP") return "image/webp";
  if (ascii(4, 12) === "ftypavif" || ascii(4, 12) === "ftypavis") return "image/avif";
  return null;
}

/** Bytes of a string in UTF-8. */
export function byteLength(text) {
  return encoder.encode(text).length;
}

// Lone surrogates cannot travel in UTF-8; replaced here, the echo still equals what we sent.
function wellFormed(text) {
  return decoder.decode(encoder.encode(text));
}

function head(json) {
  const time = own(json, "time");
  const headers = own(json, "headers");
  return {
    id: string(own(json, "id")),
    event: string(own(json, "event")) ?? "message",
    user: string(own(json, "user")),
    nick: isRecord(headers) ? decodedName(own(headers, "nick")) : null,
    time: typeof time === "number" && Math.abs(time) <= 8.64e15 ? time : null,
  };
}

// The name that a picture by POST was given on its way, percent-encoded.
function decodedName(value) {
  if (typeof value !== "string") return null;
  try {
    return cleanName(decodeURIComponent(value)) || null;
  } catch {
    return null;
  }
}

function own(json, key) {
  return Object.hasOwn(json, key) ? json[key] : undefined;
}

function string(value) {
  return typeof value === "string" ? value : null;
}

function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
