// The worker of the workbench: Oxigraph over the data of the build. It is stopped by ending it.

import init, { Store } from "oxigraph/web.js";
import { form } from "./sparql.js";
import { turtle } from "./turtle.js";

let store;

/** Turn an error, whose place stands only in its words, into plain words and a place. */
function fault(error) {
  const text = String(error?.message ?? error);
  const found = /error at (\d+):(\d+): ([\s\S]*)/.exec(text);
  if (!found) return { message: text };
  const words = found[3].replace(/\s+/g, " ");
  const message = words.includes("Prefix not found") ? "the prefix is not declared" : words;
  return { message, line: Number(found[1]), column: Number(found[2]) };
}

/** Answer a query over the union of all graphs, as SPARQL JSON or, where it asks for a graph, as Turtle. */
function answer(text, prefixes) {
  const graph = ["CONSTRUCT", "DESCRIBE"].includes(form(text));
  const options = { use_default_graph_as_union: true };
  if (!graph) return { json: store.query(text, { ...options, results_format: "json" }) };
  const quads = store.query(text, options);
  return turtle(quads, prefixes);
}

const tasks = {
  async start({ wasm, data }) {
    await init({ module_or_path: wasm });
    store = new Store();
    store.load(data, { format: "application/n-quads", lenient: true, no_transaction: true });
    return { size: store.size };
  },
  ask({ text, prefixes }) {
    const began = performance.now();
    const made = answer(text, prefixes);
    return { ...made, milliseconds: performance.now() - began };
  },
};

addEventListener("message", async ({ data: { id, task, ...given } }) => {
  try {
    postMessage({ id, done: await tasks[task](given) });
  } catch (error) {
    postMessage({ id, fault: fault(error) });
  }
});
