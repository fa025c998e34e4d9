// What the workbench knows of SPARQL's text: tokens, prefixes, parameters. The command line does the same.

const TOKEN =
  /#[^\n]*|<[^<>"{}|^`\\\s]*>|"""(?:[^"\\]|\\.|"(?!""))*"""|'''(?:[^'\\]|\\.|'(?!''))*'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[?$][\p{L}\p{N}_]+|[\p{L}\p{N}_:.%-]+|./gsu;
const FORMS = new Set(["SELECT", "ASK", "CONSTRUCT", "DESCRIBE"]);
const UPDATES = new Set(["INSERT", "DELETE", "LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY"]);
const XSD = "http://www.w3.org/2001/XMLSchema#";

/** Cut a query into comments, IRIs, strings, variables, words and characters; joined again they are the query. */
export function tokens(text) {
  return text.match(TOKEN) ?? [];
}

/** Return what the query asks for: SELECT, ASK, CONSTRUCT or DESCRIBE. */
export function form(text) {
  return tokens(text).map((token) => token.toUpperCase()).find((token) => FORMS.has(token)) ?? "SELECT";
}

/** Tell whether the query would ask other servers. */
export function asksOthers(text) {
  return tokens(text).some((token) => token.toUpperCase() === "SERVICE");
}

/** Tell whether the text would change data rather than ask. */
export function changes(text) {
  const words = tokens(text).map((token) => token.toUpperCase());
  const first = words.find((word) => FORMS.has(word) || UPDATES.has(word));
  return UPDATES.has(first);
}

/** Return the prefixes that a query declares. */
export function declared(text) {
  const found = new Set();
  const words = tokens(text).filter((token) => token.trim() && !token.startsWith("#"));
  words.forEach((word, place) => {
    if (word.toUpperCase() === "PREFIX" && words[place + 1]?.endsWith(":")) found.add(words[place + 1].slice(0, -1));
  });
  return found;
}

/** Return the lines that declare the known prefixes which a query uses and does not declare. */
export function heading(text, prefixes) {
  const known = declared(text);
  const used = new Set(tokens(text).filter((token) => !/^[#<"'?$]/.test(token)).map((token) => token.split(":")[0]));
  return Object.entries(prefixes)
    .filter(([name]) => used.has(name) && !known.has(name))
    .map(([name, space]) => `PREFIX ${name}: <${space}>\n`)
    .join("");
}

/** Return the IRI that a CURIE of a known prefix stands for. */
export function expand(name, prefixes) {
  const at = name.indexOf(":");
  const space = at < 0 ? undefined : prefixes[name.slice(0, at)];
  return space === undefined ? undefined : space + name.slice(at + 1);
}

/** Return the CURIE of an IRI, spelt as SPARQL and Turtle take it, or nothing. */
export function compress(iri, prefixes) {
  let best;
  for (const [name, space] of Object.entries(prefixes)) {
    if (iri.startsWith(space) && (!best || space.length > prefixes[best].length)) best = name;
  }
  if (best === undefined) return undefined;
  const local = iri.slice(prefixes[best].length);
  return /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?$/.test(local) ? `${best}:${local}` : undefined;
}

/** Spell the value of a parameter as an RDF term; throw an error where it does not fit its kind. */
export function spell({ name, kind }, value, prefixes) {
  if (kind === "iri") {
    const iri = expand(value, prefixes) ?? value.replace(/^<|>$/g, "");
    if (!/^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|^`\\]+$/.test(iri)) throw new Error(`${name}: “${value}” is no IRI; write id:magnesium or <…>`);
    return `<${iri}>`;
  }
  if (kind === "integer") {
    if (!/^-?\d{1,18}$/.test(value)) throw new Error(`${name}: “${value}” is no whole number`);
    return `"${value}"^^<${XSD}integer>`;
  }
  if (kind === "decimal") {
    if (!/^-?\d{1,18}(\.\d{1,18})?$/.test(value)) throw new Error(`${name}: “${value}” is no number`);
    return `"${value}"^^<${XSD}decimal>`;
  }
  return JSON.stringify(value);
}

/** Replace `$name` by the value of each parameter, outside strings, IRIs and comments. */
export function fill(text, parameters, values, prefixes) {
  const spelt = new Map(parameters.map((item) => [`$${item.name}`, spell(item, values[item.name] ?? item.default, prefixes)]));
  return tokens(text).map((token) => spelt.get(token) ?? token).join("");
}
