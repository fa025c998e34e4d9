// The editor: CodeMirror with SPARQL, in a shadow root, where its styles need no exception from the page's policy.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { sparql } from "codemirror-lang-sparql";
import { completions } from "./completion.js";

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--sunken)", color: "var(--ink)", border: "1px solid var(--rule)", borderRadius: "5px", fontSize: "0.92rem" },
  "&.cm-focused": { outline: "3px solid var(--accent)", outlineOffset: "2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", height: "min(32rem, 60vh)", borderRadius: "5px" },
  ".cm-content": { caretColor: "var(--ink)", paddingBlock: ".6rem" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--soft)", border: "0", paddingLeft: ".25rem" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 9%, transparent)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 30%, transparent)",
  },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--rule)", borderRadius: "5px", maxWidth: "min(40rem, calc(100vw - 2rem))" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--sans)", fontSize: "0.95rem", maxHeight: "18rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: ".2rem .6rem", overflow: "hidden", textOverflow: "ellipsis" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--paper)" },
  ".cm-completionDetail": { fontStyle: "normal", marginLeft: ".75rem", opacity: "0.85" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", borderLeft: "4px solid var(--negative)", padding: ".3rem .7rem", maxWidth: "34rem" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--negative)", textUnderlineOffset: "3px" },
  ".cm-gutter-lint": { width: "1.1em" },
  ".cm-lint-marker-error": { content: '""', width: ".65em", height: ".65em", marginTop: ".45em", borderRadius: "50%", backgroundColor: "var(--negative)" },
});

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.definitionKeyword, tags.function(tags.name)], color: "var(--accent)", fontWeight: "700" },
  { tag: [tags.url, tags.namespace, tags.string, tags.number, tags.bool, tags.literal], color: "var(--positive)" },
  { tag: [tags.variableName, tags.definition(tags.variableName), tags.special(tags.variableName)], color: "var(--hedge)" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
]);

/** Make an editor in an element; `run` is called for Ctrl-Enter, `changed` after each change of the text. */
export function editor(host, { names, entries, run, changed }) {
  const shadow = host.attachShadow({ mode: "open" });
  const view = new EditorView({
    root: shadow,
    parent: shadow,
    state: EditorState.create({
      extensions: [
        Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (run(), true) }])),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        lineNumbers(),
        lintGutter(),
        history(),
        drawSelection(),
        highlightActiveLine(),
        bracketMatching(),
        closeBrackets(),
        sparql(),
        syntaxHighlighting(COLOURS),
        autocompletion({ override: [completions(entries, names)], icons: false, maxRenderedOptions: 40 }),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "Query in SPARQL", tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed();
        }),
        LOOK,
      ],
    }),
  });
  return {
    get text() {
      return view.state.doc.toString();
    },
    set text(text) {
      view.dispatch(setDiagnostics(view.state, []), { changes: { from: 0, to: view.state.doc.length, insert: text } });
      view.dispatch({ selection: { anchor: 0 }, scrollIntoView: true });
    },
    clear() {
      view.dispatch(setDiagnostics(view.state, []));
    },
    /** Mark an error at its line: the word at its column, else the one before. */
    mark(message, line, column) {
      const at = view.state.doc.line(Math.max(1, Math.min(line, view.state.doc.lines)));
      const place = [...at.text].slice(0, column - 1).join("").length;
      const word = /^[^\s]+/.exec(at.text.slice(place));
      const start = word ? place : at.text.slice(0, place).search(/\S*\s*$/);
      const end = word ? place + word[0].length : at.text.slice(0, place).trimEnd().length;
      const marked = { from: at.from + start, to: at.from + Math.max(start, end), severity: "error", message };
      view.dispatch(setDiagnostics(view.state, [marked]), { selection: { anchor: marked.from }, scrollIntoView: true });
    },
  };
}
