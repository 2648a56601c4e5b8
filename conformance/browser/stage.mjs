// A server and a browser for one file of tests, and pages in which a fault fails the test.

import assert from "node:assert/strict";
import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

import { Person, watchStates } from "./person.mjs";
import { Server } from "./server.mjs";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const SHOTS = process.env.SCREENSHOT_DIR ?? fileURLToPath(new URL("../../target/browser", import.meta.url));
export const DESK = { width: 1080, height: 720 };
export const PHONE = { width: 360, height: 720 };

export class Stage {
  #browser;
  #faults = [];
  #contexts = [];
  server;

  async open() {
    mkdirSync(SHOTS, { recursive: true });
    this.server = await Server.start();
    this.#browser = await chromium.launch({ executablePath: chromiumPath(), args: FLAGS });
  }

  async close() {
    await this.#browser?.close();
    await this.server?.end("SIGKILL");
  }

  /** Closes every page, and fails where one of them had a fault. */
  async clear() {
    await Promise.all(this.#contexts.map((context) => context.close()));
    this.#contexts = [];
    assert.deepEqual(this.#faults.splice(0), [], "no page threw, and none broke its content policy");
  }

  async blank(locale, viewport) {
    const context = await this.#browser.newContext({ locale, viewport });
    this.#contexts.push(context);
    const page = await context.newPage();
    await page.addInitScript(watchStates);
    page.on("pageerror", (error) => this.#faults.push(String(error)));
    page.on("console", (line) => {
      if (/content security policy/i.test(line.text())) this.#faults.push(line.text());
    });
    return page;
  }

  /** Somebody enters a room by its address; where the door tells it, until their own arrival is shown. */
  async enter(name, room, { locale = "en-US", viewport = DESK, url = this.server.url, door, prepare } = {}) {
    const page = await this.blank(locale, viewport);
    await prepare?.(page);
    const query = new URLSearchParams({ name, room, ...(door === undefined ? {} : { door }) });
    await page.goto(`${url}?${query}`);
    const there = '#state[data-state="open"]:has(#via:not([data-door="websocket"]))';
    await page.waitForSelector(`#log .notice.join, ${there}`, { state: "attached" });
    return new Person(page, name);
  }
}

function chromiumPath() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // not this one
      }
    }
  }
  throw new Error("Chromium is missing: install the package `chromium`, or set CHROMIUM to its path");
}

/** A picture drawn in the browser, as PNG; `noise` makes one that does not compress. */
export async function picture(page, width, height, noise) {
  const url = await page.evaluate(
    async ([width, height, noise]) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      const sky = context.createLinearGradient(0, 0, 0, height);
      sky.addColorStop(0, "#f6c177");
      sky.addColorStop(1, "#31748f");
      context.fillStyle = sky;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "#1f3d36";
      context.beginPath();
      for (const [x, y] of [[0, 1], [0.28, 0.5], [0.5, 0.8], [0.75, 0.42], [1, 0.9], [1, 1]]) {
        context.lineTo(x * width, y * height);
      }
      context.fill();
      if (noise) {
        const image = context.getImageData(0, 0, width, height);
        for (let at = 0; at < image.data.length; at += 4) image.data[at] = Math.random() * 256;
        context.putImageData(image, 0, 0);
      }
      const blob = await canvas.convertToBlob({ type: "image/png" });
      return new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.readAsDataURL(blob);
      });
    },
    [width, height, noise],
  );
  return Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
}

/** Waits until a picture is shown; its width, and the scheme of its address. */
export function imageShown(person, from) {
  return person.page.waitForFunction((alt) => {
    const image = [...document.querySelectorAll("#log img")].find((one) => one.alt === alt);
    return image?.complete && image.naturalWidth > 0 ? [image.naturalWidth, image.src.split(":")[0]] : null;
  }, from);
}
