// The AI SDK as a server of JSON-RPC, a line a message, on standard input and output.
//
//     {"id": 0, "method": "streamText", "params": {"model": "gpt-5.5", "prompt": "Hello"}}
//     {"method": "part", "params": {"type": "text-delta", "id": "msg_1", "text": "Hi"}}
//     {"id": 0, "result": {"text": "Hi", "finishReason": "stop", …}}
//
// `abort` aborts what is under way. Who runs this copies it to where the packages are installed.

import { createInterface } from 'node:readline';
import { Output, generateText, jsonSchema, streamText } from 'ai';

const model = 'gpt-5.5';
let abort;

function tell(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function optionsOf(provider, { schema, ...rest }) {
  abort = new AbortController();
  return {
    model: provider(model),
    abortSignal: abort.signal,
    maxRetries: 0,
    ...(schema && { output: Output.object({ schema: jsonSchema(schema) }) }),
    ...rest,
  };
}

async function resultOf(done, { schema }) {
  const { providerMetadata } = await done.finalStep;
  return {
    text: await done.text,
    finishReason: await done.finishReason,
    usage: await done.usage,
    providerMetadata,
    ...(schema && { object: await done.output }),
  };
}

// Serves until standard input ends. `provider` makes a model of a name; the functions in `more`
// are called by their names, as those here are.
export async function serve(provider, more) {
  const methods = {
    async generateText(params) {
      return resultOf(await generateText(optionsOf(provider, params)), params);
    },

    async streamText(params) {
      const failures = [];
      const done = streamText({
        ...optionsOf(provider, params),
        onError: ({ error }) => failures.push(error),
      });
      const { signal } = abort;
      for await (const part of done.fullStream) {
        tell({ method: 'part', params: part });
      }
      if (failures.length > 0) {
        throw failures[0];
      }
      return signal.aborted ? { aborted: true } : resultOf(done, params);
    },

    async abort() {
      abort.abort();
    },

    ...more,
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, params } = JSON.parse(line);
    methods[method](params).then(
      (result = null) => tell({ id, result }),
      ({ name, message }) => tell({ id, error: { code: -32000, message: `${name}: ${message}` } }),
    );
  }
}
