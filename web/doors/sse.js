// Server-Sent Events: the browser's own EventSource. An event is a message's body and its id, and no more.

import { fromBase64, imageType } from "../protocol.js";
import { ABNORMAL, Ended, httpDoor, refusal } from "./http.js";

export const sse = httpDoor({
  name: "sse",
  labels: { en: "SSE + POST", ko: "SSE + POST" },
  live: (link, since) =>
    new Promise((_, reject) => {
      const { EventSource, clock } = link.world;
      const source = new EventSource(link.url("sse", { since }));
      link.signal.addEventListener("abort", () => source.close());
      source.onopen = () => link.through();
      // It would come back by itself; but whether it may, and by which door, is not its to decide.
      source.onerror = () => reject(new Ended(ABNORMAL, ""));
      source.addEventListener("refused", ({ data }) => reject(refusal(data)));
      source.addEventListener("gap", () => link.heard({ kind: "gap", id: null }));
      source.onmessage = ({ data, lastEventId }) => {
        const id = lastEventId === "" ? null : lastEventId;
        link.heard({ kind: "message", id, event: "message", user: null, nick: null, time: clock.now(), ...body(data) });
      };
    }),
});

// A binary body comes as base64 and does not say so. Words have a space after the name, base64 has none.
function body(data) {
  const bytes = data.length < 16 ? null : fromBase64(data);
  return bytes !== null && imageType(bytes) !== null ? { data: null, bytes } : { data, bytes: null };
}
