// The engine as the page sees it: a worker made when first needed, which can be stopped at any moment.

import { load, trusted } from "./page.js";

/** Return the bytes of a text in base64 of gzip. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class Stopped extends Error {}

export class Engine {
  #parts;
  #ready;
  #worker;
  #waiting = new Map();
  #asked = 0;
  #turn = 0;

  /** Load the engine and the data, and return how many statements there are. */
  start() {
    if (this.#ready === undefined) {
      const begun = this.#begin();
      this.#ready = begun;
      begun.catch(() => {
        if (this.#ready === begun) this.#ready = undefined;
      });
    }
    return this.#ready;
  }

  /** Answer a query; fail with the fault the engine found, or with `Stopped`. */
  async ask(text, prefixes) {
    const turn = this.#turn;
    await this.start();
    if (turn !== this.#turn) throw new Stopped("stopped");
    return this.#send("ask", { text, prefixes });
  }

  /** End the worker, whatever it does; the next query gets a new one. */
  stop() {
    this.#turn += 1;
    this.#worker?.terminate();
    this.#worker = this.#ready = undefined;
    for (const { reject } of this.#waiting.values()) reject(new Stopped("stopped"));
    this.#waiting.clear();
  }

  async #begin() {
    const turn = this.#turn;
    this.#parts ??= this.#load();
    this.#parts.catch(() => {
      this.#parts = undefined;
    });
    const { source, wasm, data } = await this.#parts;
    if (turn !== this.#turn) throw new Stopped("stopped");
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.#worker = new Worker(trusted(address));
    this.#worker.addEventListener("message", ({ data: { id, done, fault } }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (fault) waiting?.reject(Object.assign(new Error(fault.message), fault));
      else waiting?.resolve(done);
    });
    this.#worker.addEventListener("error", (event) => {
      const error = new Error(event.message || "the engine ended unexpectedly; the query may need more memory than there is");
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      this.stop();
    });
    try {
      return await this.#send("start", { wasm, data });
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  async #load() {
    const [{ worker, wasm }, data] = await Promise.all([
      load("workbench/engine.js", "kgbuildEngine"),
      load("workbench/data.js", "kgbuildData"),
    ]);
    const [code, quads] = await Promise.all([unpacked(wasm), unpacked(data)]);
    return { source: worker, wasm: code, data: quads };
  }

  #send(task, given) {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, task, ...given });
    });
  }
}
