// Answers as tables, texts and files. Whatever the data holds becomes text, never markup.

import { element, saying } from "./page.js";
import { compress } from "./sparql.js";

const SHOWN = 500;
const LONG = 40;
const XSD = "http://www.w3.org/2001/XMLSchema#";
const NUMBERS = new Set(["integer", "decimal", "double", "float"].map((name) => XSD + name));
const RUNS = /^[=+\-@\t\r\n＝＋－＠]/;
const NUMBER = /^-?[0-9]{1,18}(\.[0-9]{1,18})?$/;

/** Return the text of a term: what CSV holds. */
function lexical(term) {
  if (term === undefined) return "";
  if (term.type !== "triple") return term.value;
  const { subject, predicate, object } = term.value;
  return `<< ${lexical(subject)} ${lexical(predicate)} ${lexical(object)} >>`;
}

/** Write SPARQL JSON as CSV (RFC 4180) in which no cell runs as a formula. */
export function csv({ head, results }) {
  const safe = (text) => (RUNS.test(text) && !NUMBER.test(text) ? `'${text}` : text);
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = results.bindings.map((row) => head.vars.map((name) => cell(safe(lexical(row[name])))));
  return [head.vars.map(cell), ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}

/** Shows terms with the labels and pages of the site. */
export class Names {
  constructor(entries, { prefixes, base, pages }, root) {
    Object.assign(this, { prefixes, base, pages, root });
    this.known = new Map(entries.filter((item) => item.name).map((item) => [this.iri(item.name), item]));
  }

  /** Return the IRI that a name of the index stands for: a CURIE, or an IRI relative to the base. */
  iri(name) {
    const [prefix, ...rest] = name.split(":");
    if (rest.length && prefix in this.prefixes) return this.prefixes[prefix] + rest.join(":");
    return /^[a-z]+:/.test(name) ? name : this.base + name;
  }

  /** Return the short name of an IRI: its CURIE, else what stands behind the base, else all of it. */
  short(iri) {
    return compress(iri, this.prefixes) ?? (iri.startsWith(this.base) ? iri.slice(this.base.length) : iri);
  }

  /** Link an IRI to its page; what the site does not know becomes a link only if it leads to the web. */
  link(iri, words) {
    const item = this.known.get(iri);
    const path = item?.path ?? this.pages[this.short(iri)];
    const text = element("bdi", {}, words ?? item?.label ?? this.short(iri));
    if (path !== undefined) return element("a", { href: new URL(path, this.root).href, title: this.short(iri) }, text);
    return /^https?:\/\//.test(iri) ? element("a", { href: iri, rel: "external" }, text) : text;
  }
}

/** Fill a cell; a claim stands with its certainty, unless the row tells it in columns of its own. */
function shown(cell, term, names, told) {
  if (term === undefined) return cell;
  if (term.type !== "uri") {
    const note = term["xml:lang"] ?? (term.datatype && !NUMBERS.has(term.datatype) ? names.short(term.datatype) : "");
    if (lexical(term).length > LONG) cell.classList.add("long");
    cell.append(element("bdi", { lang: term["xml:lang"] }, lexical(term)));
    if (note) cell.append(" ", element("small", { class: "tag" }, note));
    return cell;
  }
  const claim = names.known.get(term.value)?.claim;
  if (!claim || told) {
    cell.append(names.link(term.value, claim && term.value.split("/").pop()));
    return cell;
  }
  cell.append(element("div", { class: `claim ${claim.edge}` }, element("p", { class: "statement" }, names.link(term.value)), saying(claim)));
  return cell;
}

/** Make the table of an answer; the rest of a long one is in the files. */
export function table({ head, results }, names) {
  const rows = results.bindings;
  const told = ["statement", "certainty"].every((name) => head.vars.includes(name));
  const numeric = head.vars.map((name) => rows.length > 0 && rows.every((row) => row[name] && NUMBERS.has(row[name].datatype)));
  const caption = rows.length > SHOWN ? `The first ${SHOWN} of ${rows.length.toLocaleString("en")} rows; the files hold all` : "Answer";
  const body = element("tbody", { role: "rowgroup" });
  for (const row of rows.slice(0, SHOWN)) {
    const cells = head.vars.map((name, place) =>
      shown(element("td", { role: "cell", "data-label": name, class: numeric[place] ? "number" : undefined }), row[name], names, told),
    );
    body.append(element("tr", { role: "row" }, ...cells));
  }
  const heads = head.vars.map((name, place) =>
    element("th", { scope: "col", role: "columnheader", class: numeric[place] ? "number" : undefined }, element("bdi", {}, name)),
  );
  return element(
    "table",
    { class: "answer", role: "table" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
    body,
  );
}

/** Give a text to the reader as a file. */
export function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
