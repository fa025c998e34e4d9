// Completion from the names of the graph: a label or an alias finds its term, and brings its prefix along.

import { declared, tokens } from "./sparql.js";

const KEYWORDS =
  "ASK AS ASC BIND CONSTRUCT COUNT DESC DESCRIBE DISTINCT EXISTS FILTER GRAPH GROUP BY HAVING LIMIT MINUS NOT OFFSET OPTIONAL ORDER BY PREFIX SELECT UNION VALUES WHERE".match(
    /(GROUP|ORDER) BY|\w+/g,
  );
const MOST = 40;
const MARKS = /\p{M}/gu;

function folded(text) {
  return text.normalize("NFKD").replace(MARKS, "").toLowerCase();
}

/** Tell how well a name fits what is typed: 3 it starts so, 2 a word of it does, 1 it is inside, 0 not at all. */
function fit(name, typed) {
  const at = name.indexOf(typed);
  if (at < 0) return 0;
  return at === 0 ? 3 : /[\p{L}\p{N}]/u.test(name[at - 1]) ? 1 : 2;
}

/** Return a term's best name for what is typed, and how well it fits. */
function best({ searched }, typed) {
  let found = { score: 0, place: -1 };
  searched.forEach((name, place) => {
    const score = fit(name, typed);
    if (score > found.score) found = { score, place };
  });
  return found;
}

/** Insert a term, and declare its prefix where the query does not yet. */
function insert(name, names) {
  return (view, _completion, from, to) => {
    const prefix = name.startsWith("<") ? undefined : name.slice(0, name.indexOf(":"));
    const changes = [{ from, to, insert: name }];
    if (prefix !== undefined && !declared(view.state.doc.toString()).has(prefix)) {
      changes.unshift({ from: 0, insert: `PREFIX ${prefix}: <${names.prefixes[prefix]}>\n` });
    }
    const added = changes.length > 1 ? changes[0].insert.length : 0;
    view.dispatch({ changes, selection: { anchor: from + added + name.length }, userEvent: "input.complete" });
  };
}

/** Return the source of completions over the entries of the index. */
export function completions(entries, names) {
  const terms = entries
    .filter((item) => item.name)
    .map((item) => {
      const iri = names.iri(item.name);
      const short = names.short(iri);
      const spelt = short !== iri && /^[\w-]*:/.test(short) ? short : `<${iri}>`;
      const shown = [item.label, ...item.aliases, short];
      return { item, spelt, shown, searched: shown.map(folded), short };
    });

  return (context) => {
    const word = context.matchBefore(/[?$]?[\p{L}\p{N}_:-]+|[?$]/u);
    if (!word || (!context.explicit && word.text.length < 2 && !/[?$]/.test(word.text))) return null;
    const before = tokens(context.state.sliceDoc(0, word.from)).at(-1) ?? "";
    if (/^[#"']/.test(before) && before.length > 1 && !/["']$/.test(before)) return null;
    if (/^[?$]/.test(word.text)) return variables(context.state.doc.toString(), word);
    const typed = folded(word.text);
    const found = terms
      .map((term) => ({ ...term, ...best(term, typed) }))
      .filter((term) => term.score > 0)
      .sort((one, other) => other.score - one.score || (one.item.claim ? 1 : 0) - (other.item.claim ? 1 : 0) || one.item.label.length - other.item.label.length)
      .slice(0, MOST)
      .map(({ item, spelt, shown, place, short }) => ({
        label: item.label,
        detail: [place > 0 && shown[place] !== short ? shown[place] : "", item.kind, short].filter(Boolean).join(" · "),
        apply: insert(spelt, names),
      }));
    const words = KEYWORDS.filter((keyword) => keyword.toLowerCase().startsWith(typed)).map((label) => ({ label }));
    const options = [...words, ...found];
    return options.length ? { from: word.from, options, filter: false } : null;
  };
}

function variables(text, word) {
  const named = [...new Set(tokens(text).filter((token) => /^[?$]./.test(token) && token !== word.text))].sort();
  const options = named.filter((name) => name.slice(1).startsWith(word.text.slice(1))).map((label) => ({ label }));
  return options.length ? { from: word.from, options, filter: false } : null;
}
