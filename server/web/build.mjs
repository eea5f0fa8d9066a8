// Builds the page into ../static, or with --tests the unit tests into the cache of node_modules.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { build, context } from "esbuild";

const STATIC = "../static";
const TESTS = "node_modules/.cache/tests.mjs";
const TARGET = ["chrome123", "firefox128", "safari17.5"]; // the first with light-dark()
const SHIPPED = ["@fontsource-variable/inter", "preact", "uplot"];

/** index.html with the names that this build gave to the script and the style sheet. */
const page = {
  name: "page",
  setup({ onEnd }) {
    onEnd(({ metafile, errors }) => {
      if (errors.length) return;
      const built = Object.keys(metafile.outputs).map((path) => basename(path));
      const named = (pattern) => built.find((name) => pattern.test(name));
      const html = readFileSync("index.html", "utf8")
        .replace("main.js", named(/^main-\w+\.js$/))
        .replace("main.css", named(/^main-\w+\.css$/))
        .replace("icon.svg", named(/^icon-\w+\.svg$/));
      writeFileSync(`${STATIC}/index.html`, html);
      writeFileSync(`${STATIC}/licenses.txt`, SHIPPED.map(license).join("\n\n"));
    });
  },
};

const license = (name) =>
  `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}`;

/** The script of the worker that matches: its name, and its text for what has to be one file. */
async function matcher() {
  const { outputFiles } = await build({
    entryPoints: ["src/matcher_worker.ts"],
    entryNames: "matcher-[hash]",
    outdir: `${STATIC}/assets`,
    bundle: true,
    minify: true,
    target: TARGET,
    write: false,
  });
  const [{ path, text }] = outputFiles;
  return { name: basename(path), text };
}

const bundled = {
  entryPoints: ["src/main.tsx", "src/icon.svg"],
  bundle: true,
  minify: true,
  sourcemap: process.argv.includes("--watch"),
  format: "esm",
  target: TARGET,
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".woff2": "file", ".svg": "copy" },
  outdir: `${STATIC}/assets`,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  metafile: true,
  plugins: [page],
  logLevel: "warning",
};

const imports = () =>
  readdirSync("tests")
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `import "./${name}";`)
    .join("\n");

if (process.argv.includes("--tests")) {
  await build({
    stdin: { contents: imports(), resolveDir: "tests", loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: TESTS,
    sourcemap: "inline",
  });
} else {
  rmSync(STATIC, { recursive: true, force: true });
  const { name, text } = await matcher();
  mkdirSync(`${STATIC}/assets`, { recursive: true });
  writeFileSync(`${STATIC}/assets/${name}`, text);
  bundled.define = { MATCHER: JSON.stringify(`./assets/${name}`) };
  if (process.argv.includes("--watch")) await (await context(bundled)).watch();
  else await build(bundled);
}
