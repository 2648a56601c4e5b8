// Who is here, as far as we were told: names with their number of sessions, and the server's count.
// Names are keys of a Map and never of an object, so that `__proto__` is a guest like any other.

export class People {
  #sessions = new Map();
  #count = 0;

  /** Our own join told who is here now. */
  reset(users, count) {
    this.#sessions.clear();
    for (const name of users) this.#add(name, 1);
    this.#count = count ?? users.length;
  }

  /** Somebody came or went; returns how many are here now. */
  change(event, user, count) {
    const step = event === "join" ? 1 : -1;
    if (user !== null) this.#add(user, step);
    this.#count = count ?? Math.max(0, this.#count + step);
    return this.#count;
  }

  #add(name, step) {
    const sessions = (this.#sessions.get(name) ?? 0) + step;
    if (sessions > 0) this.#sessions.set(name, sessions);
    else this.#sessions.delete(name);
  }

  /** How many are here. */
  get count() {
    return this.#count;
  }

  /** The names that we know, in order, each with its number of sessions. */
  get names() {
    return [...this.#sessions].sort(([a], [b]) => a.localeCompare(b));
  }
}
