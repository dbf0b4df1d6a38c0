// What an editor offers, explains and refuses in a bridge file, by the schemas that the program prints.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { start } from "./session.mjs";

const [work, tree] = process.argv.slice(2);
const HEAD = "# yaml-language-server: $schema=bridge.schema.json\n";
const SHOP = "bridge: shop\nsources:\n  shop: { rest: https://api.example.com }\n  db: { sql: sqlite:shop.db }\ntools:\n  find:\n    description: Finds things.\n";

// At the mark: [what is looked at, the text, labels that are offered, what one of them writes].
const COMPLETIONS = [
  ["an empty file", "‸", ["bridge", "sources", "tools", "server", "A bridge over a REST API", "A bridge over a database"]],
  ["sources", "bridge: shop\nsources:\n  ‸", ["A REST API", "A REST API with a token", "A SQLite database", "A database server"]],
  ["a source", "bridge: shop\nsources:\n  shop:\n    rest:\n      ‸", ["base_url", "auth", "timeout", "retry", "breaker"]],
  ["credentials", "bridge: shop\nsources:\n  shop:\n    rest:\n      base_url: https://api.example.com\n      auth:\n        ‸", ["bearer", "api_key", "A bearer token"],
    { "A bearer token": "bearer: \\${${1:API_TOKEN}\\}" }],
  ["tools", "bridge: shop\ntools:\n  ‸", ["A tool: one REST request", "A tool: one SQL query", "A tool: several steps", "A tool: a fixed answer"]],
  ["a tool", `${SHOP}    ‸`, ["params", "rest", "sql", "steps", "reply", "output", "tests", "confirm"]],
  ["a request", `${SHOP}    rest:\n      ‸`, ["get", "post", "query", "json", "paginate"], { get: "get: ${1:/orders/{id\\}}" }],
  ["arguments", `${SHOP}    params:\n      ‸`, ["A text", "A number", "One of several values", "A value of the caller"]],
  ["an argument", `${SHOP}    params:\n      words:\n        ‸`, ["type", "minLength", "enum", "required", "like"]],
  ["a type", `${SHOP}    params:\n      words:\n        type: ‸`, ["string", "integer", "array"]],
  ["an amount of time", "bridge: shop\nsources:\n  shop:\n    rest:\n      base_url: https://api.example.com\n      timeout: ‸", ["20s"]],
  ["a mode", `${SHOP}    sql:\n      query: SELECT 1\n      mode: ‸`, ["read", "write"]],
  ["an output", `${SHOP}    rest: { get: / }\n    output:\n      ‸`, ["select", "fields", "max_items", "A list of some members"]],
  ["a test", `${SHOP}    rest: { get: / }\n    tests:\n      - ‸`, ["name", "args", "upstream", "expect"]],
  ["the server", "server:\n  ‸", ["listen", "auth", "rate_limit", "audit", "Keys for callers"]],
];

// At the mark: [what is looked at, the text, words of the explanation].
const HOVERS = [
  ["bridge", "bri‸dge: shop", ["The identity of the bridge", "bookstore"]],
  ["timeout", "bridge: shop\nsources:\n  shop:\n    rest:\n      base_url: https://api.example.com\n      time‸out: 5s", ["How long a call may take altogether. Default: `20s`."]],
  ["rest", `${SHOP}    re‸st: { get: / }`, ["A REST request."]],
  ["get", `${SHOP}    rest:\n      g‸et: /orders`, ["GET this path. `{x}` is one segment"]],
  ["mode", `${SHOP}    sql:\n      query: SELECT 1\n      mo‸de: read`, ["Whether the statement reads or writes"]],
  ["like", `${SHOP}    params:\n      words:\n        li‸ke: prefix`, ["How the text is looked for with `LIKE`"]],
  ["select", `${SHOP}    rest: { get: / }\n    output:\n      sel‸ect: $.x`, ["The part that is kept, as a `JSONPath`", "$.data[*]"]],
  ["a test", `${SHOP}    rest: { get: / }\n    tests:\n      - na‸me: finds`, ["What is tested, in a few words"]],
  ["api_keys", "server:\n  auth:\n    api_‸keys:\n      store: true", ["Keys, sent as `Authorization: Bearer …`"]],
];

// [what is looked at, the text, the line and words of each fault].
const FAULTS = [
  ["a file without faults", `${SHOP}    rest: { get: /things, query: { q: "{{words}}" } }\n    params: { words: string }`, []],
  ["a wrong key", `${SHOP}    rest: { get: / }\n    titel: Find`, [[9, "titel is not allowed"]]],
  ["a wrong word", `${SHOP}    sql: { query: SELECT 1, mode: reed }`, [[8, "read"]]],
  ["no operation", "bridge: shop\ntools:\n  find:\n    description: Finds things.", [[3, "Missing property"]]],
  ["two operations", `${SHOP}    rest: { get: / }\n    reply: { text: No. }`, [[7, "only one must validate"]]],
  ["an amount without its unit", "bridge: shop\nsources:\n  shop: { rest: { base_url: https://api.example.com, timeout: 20 } }", [[3, "a duration such as `500ms`"]]],
  ["an amount in a unit that is unknown", "bridge: shop\nsources:\n  shop: { rest: { base_url: https://api.example.com, timeout: 20sec } }", [[3, "a duration such as `500ms`"]]],
];

const editor = await start(work);
let passed = 0;
let failed = 0;

async function check(name, run) {
  const faults = await run();
  if (faults.length === 0) passed += 1;
  else {
    failed += 1;
    console.log(`FAIL  ${name}\n${faults.map((it) => `      ${it}`).join("\n")}`);
  }
}

for (const [name, text, labels, writes = {}] of COMPLETIONS) {
  await check(`completion: ${name}`, async () => {
    const items = await editor.completion(HEAD + text);
    const written = (label) => {
      const item = items.find((it) => it.label === label);
      return item?.textEdit?.newText ?? item?.insertText;
    };
    return [
      ...labels.filter((label) => written(label) === undefined).map((label) => `\`${label}\` is not offered`),
      // A key is offered with what it means.
      ...items.filter((it) => /^[a-z_]+: /.test(written(it.label)) && !it.documentation).map((it) => `\`${it.label}\` is not explained`),
      ...Object.entries(writes).filter(([label, words]) => written(label) !== words).map(([label]) => `\`${label}\` writes ${JSON.stringify(written(label))}`),
    ];
  });
}

for (const [name, text, words] of HOVERS) {
  await check(`hover: ${name}`, async () => {
    const told = await editor.hover(HEAD + text);
    return words.filter((word) => !told.includes(word)).map((word) => `${JSON.stringify(word)} is not said: ${JSON.stringify(told)}`);
  });
}

for (const [name, text, wanted] of FAULTS) {
  await check(`faults: ${name}`, async () => {
    const found = (await editor.diagnostics(HEAD + text)).map((it) => [it.range.start.line, it.message]);
    const same = found.length === wanted.length && wanted.every(([line, words], at) => found[at][0] === line && found[at][1].includes(words));
    return same ? [] : [`found ${JSON.stringify(found)}`];
  });
}

// What the snippets of an empty file write is a bridge file, with the blanks as they are offered.
const plain = (snippet) => snippet.replace(/\$\{\d+:((?:\\.|[^}])*)\}/g, "$1").replace(/\$\d+/g, "$.items[*]").replace(/\\([$}\\])/g, "$1");
for (const item of (await editor.completion(`${HEAD}‸`)).filter((it) => it.label.startsWith("A bridge over"))) {
  await check(`snippet: ${item.label}`, async () =>
    (await editor.diagnostics(HEAD + plain(item.textEdit?.newText ?? item.insertText))).map((it) => it.message));
}

// Files that ship have nothing that an editor would mark.
for (const file of ["bridges/bookstore.yaml", "examples/first-bridge/library.yaml", "examples/company-api/company-api.yaml", "examples/help-desk/help-desk.yaml"]) {
  await check(`shipped: ${file}`, async () => {
    const text = readFileSync(join(tree, file), "utf8").replace(/^# yaml-language-server: .*\n/, "");
    return (await editor.diagnostics(HEAD + text)).map((it) => `${it.range.start.line}: ${it.message}`);
  });
}

await check("a server file has no tools", async () => {
  const found = await editor.diagnostics("# yaml-language-server: $schema=server.schema.json\nserver: { reload: false }\ntools: {}\n");
  return found.length === 1 && found[0].message.includes("tools is not allowed") ? [] : [JSON.stringify(found)];
});

await editor.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
