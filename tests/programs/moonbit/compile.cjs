// Compiles one file of MoonBit, and what it uses of the standard library, to WebAssembly with garbage collection:
//     node compile.cjs PACKAGE main.mbt OUT.wasm [TARGET]
// PACKAGE is the unpacked npm package @moonbit/moonpad-monaco, an editor for browsers: in it are the compiler, as a worker
// that is sent messages, and the library as text. TARGET may be `js`, which gives JavaScript that must print the same.
const fs = require("fs"), path = require("path"), vm = require("vm");
const [, , unpacked, source, out, target = "wasm-gc"] = process.argv;
const backend = { "wasm-gc": "WasmGC", js: "Js" }[target];
const CORE = "moonbitlang/core/";
// Each is named in the program by the last part of its name; a second `sorted_map` gets one of its own.
const USES = ["bigint", "hashmap", "sorted_map", "priority_queue", "deque", "json", "immut/sorted_map"];
const alias = { "immut/sorted_map": "immut_map" };

// The worker speaks Comlink: a message {id, type, path, argumentList} is answered by {id, type, value}.
let receive;
const waiting = new Map();
globalThis.require = require;
globalThis.addEventListener = (_, listener) => (receive = listener);
globalThis.removeEventListener = () => {};
globalThis.postMessage = (answer) => waiting.get(answer.id)(answer);
vm.runInThisContext(fs.readFileSync(path.join(unpacked, "dist/moonc-worker.js"), "utf8"));
const call = (name, argument) =>
  new Promise((done, failed) => {
    const id = waiting.size + 1;
    waiting.set(id, ({ type, value }) => (type === "RAW" ? done(value) : failed(value.value ?? value)));
    const argumentList = [{ type: "RAW", value: argument }];
    receive({ data: { id, type: "APPLY", path: [name], argumentList }, origin: "" });
  });

// The library is a table of file names and base64: `NAME = d("…")`, and `i["/lib/core/…"] = NAME`.
const editor = fs.readFileSync(path.join(unpacked, "dist/moonpad-monaco.js"), "utf8");
const texts = new Map();
for (const [, name, text] of editor.matchAll(/[ ,]([A-Za-z0-9_$]+) = d\("([A-Za-z0-9+\/=]*)"\)/g)) texts.set(name, text);
const files = new Map();
for (const [, file, name] of editor.matchAll(/\bi\["(\/lib\/core\/[^"]+)"\] = ([A-Za-z0-9_$]+);/g)) files.set(file, texts.get(name));
const read = (file) => Buffer.from(files.get(file.replace("moonbit-core:", "")), "base64").toString("utf8");
const library = new Map(JSON.parse(read("/lib/core/_build/packages.json")).packages.map((p) => [CORE + p.rel, p]));

const interfaces = new Map(), code = [];

function reachable(name, seen = new Set()) {
  for (const { path } of library.get(name).deps) {
    if (!seen.has(path)) reachable(path, seen.add(path));
  }
  return seen;
}

async function build(name, mbtFiles, more) {
  const result = await call("buildPackage", {
    mbtFiles, target, pkg: name, errorFormat: "human", enableValueTracing: false, noOpt: false,
    miFiles: [], indirectImportMiFiles: [], stdMiFiles: [], isMain: false, ...more,
  });
  if (!result.core) throw new Error(result.diagnostics.join("\n"));
  code.push(result.core);
  interfaces.set(name, result.mi);
}

// A package of the library, after those that it needs.
async function buildLibrary(name) {
  if (interfaces.has(name)) return;
  interfaces.set(name, null);
  const { deps, files } = library.get(name);
  for (const dep of deps) await buildLibrary(dep.path);
  const chosen = Object.entries(files).filter(([, of]) => of.backend.includes(backend) && of.optlevel.includes("Release"));
  const direct = new Set(deps.map((dep) => dep.path));
  await build(name, chosen.map(([file]) => [file, read(file)]), {
    miFiles: deps.map((dep) => [`${dep.path}:${dep.alias}`, interfaces.get(dep.path)]),
    indirectImportMiFiles: [...reachable(name)].filter((n) => !direct.has(n)).map((n) => [n, interfaces.get(n)]),
    pkgSources: [CORE.slice(0, -1) + ":moonbit-core:/lib/core"],
  });
}

(async () => {
  for (const use of ["prelude", ...USES]) await buildLibrary(CORE + use);
  const last = (name) => name.split("/").pop();
  await build("program/main", [["main.mbt", fs.readFileSync(source, "utf8")]], {
    isMain: true,
    miFiles: USES.map((use) => [`${CORE}${use}:${alias[use] ?? last(use)}`, interfaces.get(CORE + use)]),
    stdMiFiles: [...interfaces].map(([n, mi]) => [`moonbit-core:/lib/core/${n.slice(CORE.length)}/${last(n)}.mi`, mi]),
    pkgSources: ["program/main:program:/"],
  });
  const { result } = await call("linkCore", {
    coreFiles: code, exportedFunctions: [], main: "program/main", outputFormat: "wasm", target, sources: {},
    pkgSources: [CORE.slice(0, -1) + ":moonbit-core:/lib/core", "program/main:program:/"],
    testMode: false, sourceMap: false, debug: false, noOpt: false, stopOnMain: false,
  });
  fs.writeFileSync(out, result);
})().catch((error) => {
  console.error(error.message ?? error);
  process.exit(1);
});
