// What AsyncAPI's own parser finds wrong in the documents that are named: one line each, and exit code 1.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

let found = 0;
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
  // Severity 0 is an error, 1 a warning; what is below is advice, such as to name a licence.
  const wrong = diagnostics.filter((each) => each.severity <= 1);
  for (const each of wrong) console.log(`${file}: ${each.path.join("/")}: ${each.message}`);
  found += wrong.length + (document ? 0 : 1);
}
process.exit(found ? 1 : 0);
