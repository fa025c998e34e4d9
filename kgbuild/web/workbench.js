// The workbench: choose or write a query, run it in the page or at an endpoint of the site, read and keep the answer.

import { editor } from "./editor.js";
import { Endpoint } from "./endpoint.js";
import { Engine, Stopped } from "./engine.js";
import { element, entry, load, root } from "./page.js";
import { Names, csv, save, table } from "./results.js";
import { asksOthers, changes, fill, form, heading } from "./sparql.js";

const START = "SELECT ?subject ?predicate ?object WHERE {\n  ?subject ?predicate ?object .\n}\nLIMIT 20\n";

function byId(id) {
  return document.getElementById(id);
}

class Workbench {
  constructor(entries, graph) {
    this.graph = graph;
    this.queries = new Map(graph.queries.map((query) => [query.name, query]));
    this.names = new Names(entries, graph, root);
    this.turn = 0;
    this.chosen = undefined;
    this.editor = editor(byId("editor"), {
      names: this.names,
      entries,
      run: () => this.run(),
      changed: () => this.changed(),
    });
    this.listen();
    this.fromAddress();
  }

  listen() {
    byId("run").addEventListener("click", () => this.run());
    byId("stop").addEventListener("click", () => this.engine.stop());
    byId("example").addEventListener("change", (event) => this.choose(event.target.value));
    byId("editor").addEventListener("focusin", () => this.engine.start().catch(() => {}), { once: true });
    addEventListener("hashchange", () => this.fromAddress());
  }

  /**
   * Take the query from the address: `#name=foods&entity=id:kale` or `#query=SELECT…`, also behind a `?`. With
   * `endpoint=../sparql` it is asked there; endpoints of other sites are asked nothing.
   */
  fromAddress() {
    const given = new URLSearchParams(location.hash.length > 1 ? location.hash.slice(1) : location.search.slice(1));
    this.pointTo(given.get("endpoint"));
    const name = given.get("name");
    if (given.has("query")) this.show(given.get("query"));
    else if (this.queries.has(name)) this.choose(name, Object.fromEntries(given));
    else if (!this.editor.text) this.choose([...this.queries.keys()][0]);
  }

  pointTo(endpoint) {
    const address = endpoint === null ? undefined : URL.parse(endpoint, location.href);
    if (address?.origin !== location.origin || !address.protocol.startsWith("http")) endpoint = null;
    if (endpoint === this.endpoint) return;
    this.engine?.stop();
    this.endpoint = endpoint;
    this.engine = endpoint === null ? new Engine() : new Endpoint(address);
    byId("where").textContent = endpoint === null ? "" : `Asked at ${address}, not in the page.`;
  }

  /** Put the query into the address, so that it can be kept and passed on. */
  toAddress() {
    const told = this.asChosen ? { name: this.chosen.name, ...this.changes() } : { query: this.editor.text };
    if (this.endpoint !== null) told.endpoint = this.endpoint;
    try {
      history.replaceState(null, "", `#${new URLSearchParams(told)}`);
    } catch {
      // Some browsers refuse this for pages from disk; the query then stays in the editor alone.
    }
  }

  /** Tell whether the text is still that of the question chosen. */
  get asChosen() {
    return this.chosen !== undefined && this.chosen.text === this.editor.text;
  }

  /** Return the parameters that differ from their defaults. */
  changes() {
    return Object.fromEntries(Object.entries(this.values()).filter(([name, value]) => this.chosen.parameters.some((item) => item.name === name && item.default !== value)));
  }

  values() {
    return Object.fromEntries([...byId("parameters").querySelectorAll("input")].map((input) => [input.name, input.value]));
  }

  choose(name, values = {}) {
    const query = this.queries.get(name);
    if (!query) {
      this.show(START);
      return;
    }
    this.editor.text = query.text;
    this.chosen = query;
    byId("example").value = name;
    byId("question").textContent = query.question;
    byId("recorded").textContent = query.recorded && `Part of the answer comes from another endpoint and was recorded: ${query.recorded}`;
    const fields = query.parameters.map((item) => {
      const input = element("input", { name: item.name, value: values[item.name] ?? item.default, autocomplete: "off", spellcheck: "false" });
      input.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.run();
      });
      return element("label", {}, element("code", {}, `$${item.name}`), input, element("span", {}, element("bdi", {}, item.doc)));
    });
    byId("parameters").replaceChildren(...fields);
    byId("parameters").hidden = fields.length === 0;
    this.clear();
  }

  show(text) {
    this.chosen = undefined;
    this.editor.text = text;
    byId("example").value = "";
    byId("question").textContent = "";
    byId("recorded").textContent = "";
    byId("parameters").replaceChildren();
    byId("parameters").hidden = true;
    this.clear();
  }

  /** A query that is changed is no longer the one chosen, but keeps its parameters. */
  changed() {
    this.editor.clear();
    byId("example").value = this.asChosen ? this.chosen.name : "";
  }

  clear() {
    this.say("");
    byId("answer").replaceChildren();
    byId("files").replaceChildren();
  }

  say(words, failed = false) {
    const status = byId("status");
    status.textContent = words;
    status.classList.toggle("failed", failed);
  }

  busy(running) {
    this.running = running;
    byId("stop").disabled = !running;
    byId("workbench").setAttribute("aria-busy", String(running));
  }

  /**
   * Return the query as written and as it is sent: prefixes declared, parameters filled in. A question that asks another
   * endpoint is answered with what was recorded of it.
   */
  spelt() {
    const written = this.editor.text;
    const head = heading(written, this.graph.prefixes);
    const parameters = this.chosen?.parameters ?? [];
    const replayed = this.asChosen && Object.keys(this.changes()).length === 0 ? this.chosen.replayed : "";
    if (replayed) return { written: replayed, lines: 0, sent: replayed };
    return { written: head + written, lines: head.split("\n").length - 1, sent: head + fill(written, parameters, this.values(), this.graph.prefixes) };
  }

  async run() {
    const turn = (this.turn += 1);
    if (this.running) this.engine.stop();
    this.editor.clear();
    this.clear();
    let query;
    try {
      query = this.spelt();
      if (changes(query.sent)) throw new Error("An update changes data; here one can only ask.");
      if (asksOthers(query.sent)) throw new Error("SERVICE asks other servers; this page asks none. Use kgbuild query --allow-service.");
    } catch (error) {
      this.say(error.message, true);
      return;
    }
    this.toAddress();
    this.busy(true);
    try {
      this.say(this.endpoint === null ? "Loading the engine and the data …" : "Asking …");
      const { size } = await this.engine.start();
      if (size !== undefined) this.say(`Asking ${size.toLocaleString("en")} statements …`);
      const made = await this.engine.ask(query.sent, this.graph.prefixes);
      if (turn === this.turn) this.answer(made, form(query.sent));
    } catch (error) {
      if (turn === this.turn) await this.failed(error, query);
    } finally {
      if (turn === this.turn) this.busy(false);
    }
  }

  async failed(error, query) {
    if (error instanceof Stopped) {
      this.say("Stopped.");
      return;
    }
    if (error.line === undefined) {
      this.engine.stop(); // what broke in the middle of its work may not be whole
      this.say(error.message, true);
      return;
    }
    const { line, column, message } = await this.place(error, query);
    this.editor.mark(message, line - query.lines, column);
    this.say(`Line ${line - query.lines}, column ${column}: ${message}`, true);
  }

  /** Return where a query breaks as it is written; values that were filled in shift the columns. */
  async place(error, { written, sent }) {
    if (written === sent) return error;
    return this.engine.ask(written, this.graph.prefixes).then(
      () => error,
      (other) => (other.line === undefined ? error : other),
    );
  }

  answer({ json, turtle, triples, milliseconds }, kind) {
    const name = this.asChosen ? this.chosen.name : "answer";
    const took = `in ${milliseconds < 1 ? "less than 1" : Math.round(milliseconds).toLocaleString("en")} ms`;
    if (turtle !== undefined) {
      const count = triples === undefined ? "Answered" : `${triples.toLocaleString("en")} ${triples === 1 ? "triple" : "triples"}`;
      this.say(`${count} ${took}`);
      byId("answer").append(element("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "Answer in Turtle" }, element("code", {}, turtle)));
      this.files([["Turtle", `${name}.ttl`, "text/turtle", turtle]]);
      return;
    }
    const parsed = JSON.parse(json);
    if (kind === "ASK") {
      this.say(`Answered ${took}`);
      byId("answer").append(element("p", { class: "truth" }, element("strong", {}, parsed.boolean ? "Yes" : "No"), ", so far as the graph goes."));
      this.files([["JSON", `${name}.json`, "application/sparql-results+json", json]]);
      return;
    }
    const count = parsed.results.bindings.length;
    this.say(count ? `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"} ${took}` : `No rows, ${took}: the graph holds nothing of the kind.`);
    if (count) {
      byId("answer").append(element("div", { class: "scroll", role: "region", "aria-label": "Answer", tabindex: "0" }, table(parsed, this.names)));
    }
    this.files([
      ["CSV", `${name}.csv`, "text/csv", () => csv(parsed)],
      ["JSON", `${name}.json`, "application/sparql-results+json", json],
    ]);
  }

  files(found) {
    const buttons = found.map(([label, name, type, text]) => {
      const button = element("button", { type: "button" }, label);
      button.addEventListener("click", () => save(name, type, typeof text === "function" ? text() : text));
      return button;
    });
    byId("files").replaceChildren("Keep the answer as ", ...buttons);
  }
}

Promise.all([load("search/entries.js", "kgbuildEntries"), load("workbench/graph.js", "kgbuildGraph")]).then(
  ([rows, graph]) => {
    byId("workbench").hidden = false;
    byId("without").hidden = true;
    new Workbench(rows.map(entry), graph);
  },
  (error) => {
    byId("without").textContent = `The workbench cannot be used: ${error.message}`;
  },
);
