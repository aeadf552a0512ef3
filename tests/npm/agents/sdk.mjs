// The official TypeScript SDK as a caller of tools: a call a line on standard input, its result a line on standard output.
// usage: node sdk.mjs URL AUTHORIZATION
import { createInterface } from "node:readline";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, authorization] = process.argv.slice(2);
const client = new Client({ name: "story", version: "1" }, { versionNegotiation: { mode: "auto" } });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization } } }));
const { tools } = await client.listTools();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), revision: client.getNegotiatedProtocolVersion() }));
for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  console.log(JSON.stringify(await client.callTool(call)));
}
await client.close();
