// The official client, unmodified, against agentd. OPENAI_BASE_URL and OPENAI_API_KEY are set by the test.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const messages = [{ role: "user", content: "from npm" }];

const completion = await client.chat.completions.create({ model: "mock", messages });
assert.equal(completion.choices[0].message.content, "You said: from npm");
assert.equal(completion.usage.total_tokens, 6);

let text = "";
let usage;
const stream = await client.chat.completions.create({
  model: "mock", messages, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(text, "You said: from npm");
assert.equal(usage.total_tokens, 6);

const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
for (const model of ["mock-tool", "claude-tool"]) {
  const called = await client.chat.completions.create({ model, messages, tools });
  assert.equal(called.choices[0].finish_reason, "tool_calls", model);
  assert.equal(called.choices[0].message.tool_calls[0].function.name, "weather", model);
}

// The client asks for base64 and decodes it.
const embeddings = await client.embeddings.create({ model: "mock-embedding", input: ["one", "two"], dimensions: 8 });
assert.deepEqual(embeddings.data.map((e) => e.embedding.length), [8, 8]);
assert.ok(embeddings.data[0].embedding.some((x) => x !== 0));

const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert.ok(models.includes("m"), models.join());
assert.equal((await client.models.retrieve("m")).id, "m");

await assert.rejects(
  client.chat.completions.create({ model: "no-such-model", messages }),
  (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found" && error.param === "model",
);
await assert.rejects(
  client.chat.completions.create({ model: "mock-rate-limit", messages }),
  (error) => error instanceof OpenAI.RateLimitError && error.headers.get("retry-after") === "1",
);
await assert.rejects(
  new OpenAI({ apiKey: "ask_wrong", maxRetries: 0 }).models.list(),
  (error) => error instanceof OpenAI.AuthenticationError,
);
await assert.rejects(client.chat.completions.create({ model: "mock", messages: [] }), OpenAI.BadRequestError);

// A client that goes away in the middle of a stream.
const abandoned = await client.chat.completions.create({ model: "mock-slow", messages, stream: true });
for await (const _ of abandoned) break;

console.log("ok");
