// What the scripts of all pages share: where the site is, its data scripts, and elements made without markup.

const own = document.currentScript.src;

/** The root of the site: every script of the site stands one folder below it. */
export const root = new URL("..", own);

const policy = globalThis.trustedTypes?.createPolicy(POLICY, {
  createScriptURL(address) {
    if (address.startsWith(root.href) || address.startsWith("blob:")) return address;
    throw new TypeError(`not a script of this site: ${address}`);
  },
});

/** Return an address as one that a script or a worker may be loaded from. */
export function trusted(address) {
  return policy ? policy.createScriptURL(address) : address;
}

const loading = new Map();

/** Load a script of the site once; it leaves what it holds in the global of this name. */
export function load(path, name) {
  if (!loading.has(path)) {
    loading.set(
      path,
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = trusted(new URL(path, root).href);
        script.addEventListener("load", () => resolve(globalThis[name]));
        script.addEventListener("error", () => {
          loading.delete(path);
          script.remove();
          reject(new Error(`${path} cannot be loaded`));
        });
        document.head.append(script);
      }),
    );
  }
  return loading.get(path);
}

/** Make an element with attributes and children; texts stay texts. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
}

/** An entry of the index as an object. */
export function entry([path, label, kind, aliases, name, claim]) {
  const [certainty, filled, edge, beside] = claim ?? [];
  return { path, label, kind, aliases, name, claim: claim && { certainty, filled, edge, beside } };
}

const SVG = "http://www.w3.org/2000/svg";

/** Draw the bar of five segments as the pages do: filled ones, and outlines of the others. */
export function bar(filled) {
  const picture = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["class", "bar"], ["aria-hidden", "true"], ["viewBox", "0 0 53 13"], ["width", "53"], ["height", "13"]]) {
    picture.setAttribute(key, value);
  }
  for (let place = 0; place < 5; place += 1) {
    const full = place < filled;
    const segment = document.createElementNS(SVG, "rect");
    const box = full ? [11 * place, 0, 9, 13] : [11 * place + 0.5, 0.5, 8, 12];
    ["x", "y", "width", "height"].forEach((key, index) => segment.setAttribute(key, String(box[index])));
    segment.setAttribute("fill", full ? "currentColor" : "none");
    if (!full) segment.setAttribute("stroke", "currentColor");
    picture.append(segment);
  }
  return picture;
}

/** Say how surely a claim is made and whether it is hedged or negated, with its source and place. */
export function saying({ certainty, filled, edge, beside }) {
  const words = element("span", { class: "saying" }, element("span", { class: "certainty" }, bar(filled), element("b", {}, certainty)));
  if (edge.includes("negated")) words.append(element("span", { class: "flag no" }, "Negated"));
  if (edge.includes("hedged")) words.append(element("span", { class: "flag hedge" }, "Hedged"));
  if (beside) words.append(element("span", { class: "beside" }, element("bdi", {}, beside)));
  return words;
}
