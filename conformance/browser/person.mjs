// Somebody at a browser: what they do and what their page shows. Everything waits for a condition.

export class Person {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  async say(text) {
    await this.page.fill("#compose", text);
    await this.page.press("#compose", "Enter");
  }

  async sendImage(name, mimeType, buffer) {
    await this.page.setInputFiles("#image", { name, mimeType, buffer });
  }

  /** What was said, oldest first, as `author: text`. */
  said() {
    return this.page.$$eval("#log .said", (all) =>
      all.map((one) => {
        const who = one.querySelector(".who").textContent.replace(/ \((나|you)\)$/, "");
        return `${who}: ${one.querySelector(".bubble").textContent}`;
      }),
    );
  }

  notices() {
    return this.page.$$eval("#log .notice", (all) => all.map((one) => one.textContent));
  }

  names() {
    return this.page.$$eval("#names .name", (all) => all.map((one) => one.textContent));
  }

  /** Waits until the page shows that somebody said this. */
  async hears(author, text) {
    await this.page.waitForFunction(
      ([author, text]) =>
        [...document.querySelectorAll("#log .said")].some(
          (one) =>
            one.querySelector(".who").textContent.replace(/ \((나|you)\)$/, "") === author &&
            one.querySelector(".bubble").textContent === text,
        ),
      [author, text],
    );
  }

  /** Waits until the page's last notice is this. */
  async noticed(text) {
    await this.page.waitForFunction(
      (text) => [...document.querySelectorAll("#log .notice")].at(-1)?.textContent === text,
      text,
    );
  }

  async state(name) {
    await this.page.waitForSelector(`#state[data-state="${name}"]`);
  }

  /** Every state that the page showed since it was opened. */
  states() {
    return this.page.evaluate(() => window.statesShown);
  }

  /** Waits until nothing is unsent. */
  async allSent() {
    await this.page.waitForFunction(() => document.querySelectorAll("#outbox li").length === 0);
  }

  async shot(path) {
    await this.page.screenshot({ path });
  }
}

/** Runs in the page before its own scripts: keeps what the status line says. */
export function watchStates() {
  window.statesShown = [];
  document.addEventListener("DOMContentLoaded", () => {
    const words = document.getElementById("state-words");
    new MutationObserver(() => window.statesShown.push(words.textContent)).observe(words, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
}
