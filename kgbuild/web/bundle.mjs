// Makes what the pages load, in the folder given: node bundle.mjs FOLDER, after npm ci.

import { build } from "esbuild";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
const modules = join(here, "node_modules");
const FONTS = [
  ["source-serif-4", "Source Serif 4"],
  ["source-sans-3", "Source Sans 3"],
];

/** Bundle one script into a text that any browser of the last years runs without modules. */
async function bundled(entry) {
  const made = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    format: "iife",
    minify: true,
    target: "es2021",
    charset: "utf8",
    legalComments: "none",
    define: { "import.meta.url": '""', POLICY: JSON.stringify(`kgbuild-${entry.replace(".js", "")}`) },
    write: false,
    logLevel: "warning",
  });
  return made.outputFiles[0].text;
}

/** Wrap worker and WebAssembly in a script, which a page opened from disk may load, unlike the files themselves. */
async function engine() {
  const wasm = gzipSync(readFileSync(join(modules, "oxigraph/web_bg.wasm")), { level: 9 }).toString("base64");
  return `globalThis.kgbuildEngine=${JSON.stringify({ worker: await bundled("worker.js"), wasm })};\n`;
}

/** Copy the fonts of upright and italic shapes, and return their style sheet under the names that the site uses. */
function fonts() {
  let sheet = "";
  for (const [name, family] of FONTS) {
    const from = join(modules, "@fontsource-variable", name);
    for (const part of ["wght.css", "wght-italic.css"]) {
      sheet += readFileSync(join(from, part), "utf8").replaceAll(`'${family} Variable'`, `'${family}'`);
    }
  }
  sheet = sheet.replaceAll("./files/", "").replace(/\/\*.*?\*\/\s*/gs, "");
  for (const [, file] of sheet.matchAll(/url\(([^)]+)\)/g)) {
    const name = FONTS.map(([font]) => font).find((font) => file.startsWith(font));
    cpSync(join(modules, "@fontsource-variable", name, "files", file), join(out, "fonts", file));
  }
  return sheet;
}

/** Name every package that is in the output, with its licence. */
function licences() {
  const lock = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8"));
  const texts = Object.entries(lock.packages)
    .filter(([path, entry]) => path && !entry.dev && !entry.optional)
    .map(([path, entry]) => {
      const folder = join(here, path);
      const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
      const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const words = file ? readFileSync(join(folder, file), "utf8").trim() : `Licence: ${about.license}`;
      return `${about.name} ${entry.version} (${about.license})\n\n${words}\n`;
    });
  return ["What these pages run and the fonts they use, made of:\n", ...texts].join(`\n${"-".repeat(72)}\n\n`);
}

mkdirSync(join(out, "fonts"), { recursive: true });
writeFileSync(join(out, "search.js"), await bundled("search.js"));
writeFileSync(join(out, "workbench.js"), await bundled("workbench.js"));
writeFileSync(join(out, "engine.js"), await engine());
writeFileSync(join(out, "fonts", "fonts.css"), fonts());
writeFileSync(join(out, "licences.txt"), licences());
