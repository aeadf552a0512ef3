// The AI SDK as a caller of tools: a call a line on standard input, its result a line on standard output.
// usage: node framework.mjs URL AUTHORIZATION
import { createInterface } from "node:readline";
import { createMCPClient } from "@ai-sdk/mcp";

const [url, authorization] = process.argv.slice(2);
const client = await createMCPClient({ transport: { type: "http", url, headers: { authorization } } });
const tools = await client.tools();
console.log(JSON.stringify({ tools: Object.keys(tools) }));
for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  console.log(JSON.stringify(await tools[call.name].execute(call.arguments, { toolCallId: "1", messages: [] })));
}
await client.close();
