// The search box of every page and the page of all results. The index is loaded when the box is first used.

import MiniSearch from "minisearch";
import { element, entry, load, root, saying } from "./page.js";

const SHOWN = 8;
const MOST = 200;
const MARKS = /\p{M}/gu;

/** Fold case and accents, so that "sindrome" finds "síndrome". */
function folded(word) {
  return word.normalize("NFKD").replace(MARKS, "").toLowerCase();
}

let ready;

/** Load the entries and index them, once. */
function index() {
  ready ??= load("search/entries.js", "kgbuildEntries").then(async (rows) => {
    const entries = rows.map(entry);
    const engine = new MiniSearch({
      fields: ["label", "aliases", "name"],
      extractField: (document, field) => (field === "aliases" ? document.aliases.join(" ") : document[field]),
      idField: "id",
      processTerm: folded,
      searchOptions: {
        boost: { label: 3, aliases: 2 },
        prefix: (term) => term.length > 1,
        fuzzy: (term) => (term.length > 3 && !/\d/.test(term) ? 0.25 : false),
        weights: { prefix: 0.6, fuzzy: 0.25 },
        boostDocument: (id) => (entries[id].claim ? 0.5 : 1),
      },
    });
    const documents = entries.map((item, id) => ({ ...item, id }));
    await engine.addAllAsync(documents, { chunkSize: 1000 }); // in parts, so that typing goes on meanwhile
    return { entries, engine };
  });
  ready.catch(() => {
    ready = undefined;
  });
  return ready;
}

/** Tell whether the words are looked up in an index made at build time, part by part: over HTTP, on a large site. */
const parted = document.querySelector("header.site form[role=search]")?.dataset.index === "parts" && location.protocol !== "file:";

let engine;

/** Load the engine of the index in parts, once. */
function parts() {
  engine ??= import(new URL("search/pagefind/pagefind.js", root).href).then(async (made) => {
    await made.options({ noWorker: true });
    await made.init();
    return made;
  });
  engine.catch(() => {
    engine = undefined;
  });
  return engine;
}

/** Return how many entries fit, at most MOST, and the first of them. */
async function look(text, first) {
  if (!parted) {
    const found = find(await index(), text);
    return { total: found.length, found: found.slice(0, first) };
  }
  const { results } = await (await parts()).search(text);
  const data = await Promise.all(results.slice(0, first).map((result) => result.data()));
  const terms = folded(text).split(/\s+/);
  return { total: Math.min(results.length, MOST), found: data.map(({ meta }) => ({ ...entry(JSON.parse(meta.entry)), terms })) };
}

/** Return the entries that fit best: those with every word, else those with any. */
function find({ entries, engine }, text) {
  const every = engine.search(text, { combineWith: "AND" });
  const found = every.length ? every : engine.search(text);
  const words = folded(text);
  return found
    .map(({ id, terms, score }) => ({ ...entries[id], terms, score: score * (called(entries[id], words) ? 10 : 1) }))
    .sort((one, other) => other.score - one.score)
    .slice(0, MOST);
}

/** Tell whether an entry is called just so. */
function called({ label, aliases }, words) {
  return [label, ...aliases].some((name) => folded(name) === words);
}

/** Return the alias by which an entry was found, where its label does not show it. */
function alias({ label, aliases, terms }) {
  const shows = (text) => terms.some((term) => folded(text).includes(term));
  return shows(label) ? undefined : aliases.find(shows);
}

/** Fill a result: what it is called, what it is, and for a claim how surely it is made. */
function fill(target, found) {
  const also = alias(found);
  target.append(element("bdi", { class: "label" }, found.label));
  const note = element("span", { class: "kind" }, element("bdi", {}, found.kind));
  if (found.claim) note.append(" ", element("bdi", {}, found.aliases[0]));
  else if (also) note.append(" · also called ", element("bdi", {}, also));
  target.append(note);
  if (found.claim) target.append(saying(found.claim));
  return target;
}

function edge(found) {
  return found.claim ? `claim ${found.claim.edge}` : "";
}

function address(found) {
  return new URL(found.path, root).href;
}

/** Turn the search field of the header into a combobox (ARIA Authoring Practices, "list autocomplete"). */
function box(form) {
  const input = form.querySelector("input");
  const list = element("div", { id: "_found", role: "listbox", "aria-label": "Found", hidden: true });
  const status = element("p", { class: "visually-hidden", role: "status" });
  let active = -1;
  let asked = 0;
  form.append(list, status);
  for (const [key, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": "_found", "aria-autocomplete": "list" })) {
    input.setAttribute(key, value);
  }

  function mark(place) {
    const options = [...list.children];
    active = options.length ? (place + options.length) % options.length : -1;
    options.forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", options[active].id);
      options[active].scrollIntoView({ block: "nearest" });
    }
  }

  function open(shown) {
    list.hidden = !shown;
    input.setAttribute("aria-expanded", String(shown));
    if (!shown) mark(-1 - list.children.length);
  }

  function close() {
    list.replaceChildren();
    open(false);
  }

  function option(number, href, content) {
    const made = element("a", { id: `_found-${number}`, role: "option", tabindex: "-1", href, "aria-selected": "false" });
    made.addEventListener("mousedown", (event) => event.preventDefault());
    return content(made);
  }

  async function show() {
    const text = input.value.trim();
    const turn = (asked += 1);
    if (!text) {
      close();
      status.textContent = "";
      return;
    }
    try {
      const { total, found } = await look(text, SHOWN);
      if (turn !== asked) return;
      const options = found.map((item, number) =>
        option(number, address(item), (made) => {
          made.className = edge(item);
          return fill(made, item);
        }),
      );
      if (total > SHOWN) {
        const all = new URL("search/index.html", root);
        all.searchParams.set("q", text);
        options.push(
          option(SHOWN, all.href, (made) => {
            made.className = "all";
            made.append(`All ${total < MOST ? total : `${MOST} and more`} results`);
            return made;
          }),
        );
      }
      list.replaceChildren(...options);
      status.textContent = total ? `${total} found` : `Nothing found for ${text}`;
      status.classList.toggle("visually-hidden", total > 0);
      open(options.length > 0);
      mark(options.length ? 0 : -1);
    } catch (error) {
      close();
      status.textContent = `The search cannot be used: ${error.message}`;
      status.classList.remove("visually-hidden");
    }
  }

  input.addEventListener("focus", () => {
    (parted ? parts() : index()).catch(() => {});
    if (input.value.trim() && list.hidden) show();
  });
  input.addEventListener("input", show);
  input.addEventListener("blur", () => {
    asked += 1;
    close();
    status.classList.add("visually-hidden");
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (list.hidden) input.blur();
      else close();
      event.preventDefault();
    } else if (list.hidden) {
      if (event.key === "ArrowDown") show();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      mark(active + (event.key === "ArrowDown" ? 1 : -1));
      event.preventDefault();
    } else if (event.key === "Enter" && active >= 0) {
      list.children[active].click();
      event.preventDefault();
    }
  });
  document.addEventListener("keydown", (event) => {
    const at = event.composedPath()[0];
    const writing = at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });
}

/** Fill the page of all results for the words in its address. */
async function page(target) {
  const text = (new URLSearchParams(location.search).get("q") ?? "").trim();
  const status = target.querySelector("[role=status]");
  const list = target.querySelector("ol");
  document.querySelector("#without").hidden = true;
  for (const input of document.querySelectorAll("input[name=q]")) input.value = text;
  if (!text) {
    status.textContent = `Type what you look for${parted ? ", or how it begins" : "; a misspelt word is found too"}.`;
    return;
  }
  try {
    const { total, found } = await look(text, MOST);
    const count = total < MOST ? `${total}` : `${MOST} and more`;
    status.textContent = `${total ? count : "Nothing"} found for “${text}”`;
    list.replaceChildren(
      ...found.map((item) => element("li", { class: edge(item) }, fill(element("a", { href: address(item) }), item))),
    );
  } catch (error) {
    status.textContent = `The search cannot be used: ${error.message}`;
  }
}

const form = document.querySelector("header.site form[role=search]");
if (form) box(form);
const results = document.querySelector("#_results");
if (results) page(results);
