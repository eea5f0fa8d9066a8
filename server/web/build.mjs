// Builds the page and the templates of exported files into ../static, or with --tests the unit tests
// into the cache of node_modules.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { build, context } from "esbuild";

const STATIC = "../static";
const TESTS = "node_modules/.cache/tests.mjs";
const SHIPPED = ["@fontsource-variable/inter", "preact", "uplot"];

const BUNDLED = {
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox128", "safari17.5"], // the first with light-dark()
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
};

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

const text = async (options) => {
  const { outputFiles } = await build({ ...BUNDLED, outdir: "out", write: false, ...options });
  return outputFiles;
};

/** The script of the worker that matches: a file of the page, and a text in what has to be one file. */
async function matcher() {
  const [{ path, text: script }] = await text({
    entryPoints: ["src/matcher_worker.ts"],
    entryNames: "matcher-[hash]",
  });
  mkdirSync(`${STATIC}/assets`, { recursive: true });
  writeFileSync(`${STATIC}/assets/${basename(path)}`, script);
  return { address: `./assets/${basename(path)}`, text: script };
}

const definition = (matcher) => ({ MATCHER: JSON.stringify(matcher) });

/** export.html with script and style in it, and the hashes by which alone they may run. */
async function exported({ text: worker }) {
  const define = definition({ text: worker });
  const files = await text({ entryPoints: ["src/export/main.tsx"], define });
  const [script, style] = [".js", ".css"].map(
    (end) => files.find(({ path }) => path.endsWith(end)).text,
  );
  if (`${script}${style}`.includes("</")) throw new Error("script or style would end its element");
  const hash = (source) => `sha256-${createHash("sha256").update(source).digest("base64")}`;
  const html = readFileSync("export.html", "utf8")
    .replace("script-hash", hash(script))
    .replace("style-hash", hash(style))
    .replace("/* style */", () => style)
    .replace("/* script */", () => script);
  writeFileSync(`${STATIC}/export.html`, html);
}

/** export.svg with script and style in it. */
async function exportedSvg({ text: worker }) {
  const define = definition({ text: worker });
  const [{ text: script }] = await text({
    entryPoints: ["src/export/svg.ts"],
    format: "iife",
    define,
  });
  const [{ text: style }] = await text({ entryPoints: ["src/styles/svg.css"] });
  if (`${script}${style}`.includes("]]>")) throw new Error("script would end its section");
  const svg = readFileSync("export.svg", "utf8")
    .replace("/* style */", () => style.replaceAll("&", "&amp;").replaceAll("<", "&lt;"))
    .replace("/* script */", () => script);
  writeFileSync(`${STATIC}/export.svg`, svg);
}

const bundled = (matcher) => ({
  ...BUNDLED,
  entryPoints: ["src/main.tsx", "src/icon.svg"],
  sourcemap: process.argv.includes("--watch"),
  loader: { ".woff2": "file", ".svg": "copy" },
  outdir: `${STATIC}/assets`,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  metafile: true,
  define: definition({ address: matcher.address }),
  plugins: [page],
});

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
  const worker = await matcher();
  await exported(worker);
  await exportedSvg(worker);
  if (process.argv.includes("--watch")) await (await context(bundled(worker))).watch();
  else await build(bundled(worker));
}
