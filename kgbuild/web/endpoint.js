// A SPARQL endpoint of the site, asked as the engine of the page is (SPARQL 1.1 Protocol §2.1.2).

import { Stopped } from "./engine.js";
import { form } from "./sparql.js";

const TABLE = "application/sparql-results+json";
const GRAPH = "text/turtle";

/** Turn what the server says is wrong (RFC 9457) into words and a place. */
async function fault(response) {
  const { detail } = await response.json().catch(() => ({ detail: `the endpoint answers ${response.status}` }));
  const found = /^([\s\S]*) \(line (\d+), column (\d+)\)$/.exec(detail);
  if (!found) return new Error(detail);
  return Object.assign(new Error(found[1]), { line: Number(found[2]), column: Number(found[3]) });
}

export class Endpoint {
  #address;
  #asked;

  constructor(address) {
    this.#address = address;
  }

  /** Be ready at once: how many statements there are is not known. */
  async start() {
    return {};
  }

  /** Answer a query; fail with the fault the endpoint found, or with `Stopped`. */
  async ask(text) {
    const asked = (this.#asked = new AbortController());
    const graph = ["CONSTRUCT", "DESCRIBE"].includes(form(text));
    const began = performance.now();
    try {
      const response = await fetch(this.#address, {
        method: "POST",
        headers: { Accept: graph ? `${GRAPH}, application/problem+json` : `${TABLE}, application/problem+json` },
        body: new URLSearchParams({ query: text }),
        signal: asked.signal,
      });
      if (!response.ok) throw await fault(response);
      const body = await response.text();
      const milliseconds = performance.now() - began;
      return graph ? { turtle: body, milliseconds } : { json: body, milliseconds };
    } catch (error) {
      throw asked.signal.aborted ? new Stopped("stopped") : error;
    }
  }

  /** Leave the query; the server ends it when its client has gone. */
  stop() {
    this.#asked?.abort();
  }
}
