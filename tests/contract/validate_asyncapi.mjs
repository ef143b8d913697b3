// Validates an AsyncAPI document with the official parser. Run in the folder where it is installed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { Parser } = require("@asyncapi/parser");

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 0);
for (const { code, path, message } of errors) console.error(`${code} at ${path.join(".")}: ${message}`);
if (!document || errors.length > 0) process.exit(1);
console.log(`valid, ${document.allChannels().length} channels, ${document.allMessages().length} messages`);
