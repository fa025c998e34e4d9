// Turtle with the prefixes it uses, sorted, each triple once.

import { compress } from "./sparql.js";

const TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/** Write the triples of quads as Turtle, and count them. */
export function turtle(quads, prefixes) {
  const triples = new Map(quads.map(({ subject, predicate, object }) => [`${subject} ${predicate} ${object}`, [subject, predicate, object]]));
  const used = new Set();

  function named(iri) {
    const name = compress(iri, prefixes);
    if (name === undefined) return `<${iri}>`;
    used.add(name.slice(0, name.indexOf(":")));
    return name;
  }

  function spelt(term) {
    if (term.termType === "NamedNode") return named(term.value);
    const text = term.toString();
    const end = term.termType === "Literal" ? text.lastIndexOf("^^<") : -1;
    return end > 0 && text.endsWith(`^^<${term.datatype.value}>`) ? `${text.slice(0, end)}^^${named(term.datatype.value)}` : text;
  }

  let subject;
  let predicate;
  let body = "";
  for (const [, triple] of [...triples].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const [about, relation, value] = [spelt(triple[0]), triple[1].value === TYPE ? "a" : spelt(triple[1]), spelt(triple[2])];
    if (about !== subject) body += `${subject === undefined ? "" : " .\n\n"}${about}\n    ${relation} ${value}`;
    else body += relation === predicate ? ` ,\n        ${value}` : ` ;\n    ${relation} ${value}`;
    [subject, predicate] = [about, relation];
  }
  if (body) body += " .\n";
  const names = [...used].sort();
  const head = names.map((name) => `@prefix ${name}: <${prefixes[name]}> .\n`).join("");
  return { turtle: head && body ? `${head}\n${body}` : body, triples: triples.size };
}
