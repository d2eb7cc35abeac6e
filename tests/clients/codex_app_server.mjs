// ai-sdk-provider-codex-app-server, which runs an app-server of its own for every model.

import { createCodexAppServer, listModels } from 'ai-sdk-provider-codex-app-server';
import { serve } from './ai_sdk.mjs';

const [codexPath, cwd] = process.argv.slice(2);
const provider = createCodexAppServer({ defaultSettings: { codexPath, cwd } });
const models = new Map(); // a model remembers its thread
let session;

function modelOf(name) {
  if (!models.has(name)) {
    const onSessionCreated = (created) => {
      session = created;
    };
    models.set(name, provider(name, { onSessionCreated }));
  }
  return models.get(name);
}

// After an abort it closes a stream twice when the turn's end is read together with the answer to
// the interrupt, whoever the server is. Nothing else is lost by that.
process.on('uncaughtException', (error) => {
  if (error.code !== 'ERR_INVALID_STATE') {
    throw error;
  }
});

await serve(modelOf, {
  listModels: () => listModels({ codexPath }),
  inject: ({ text }) => session.injectMessage(text),
  interrupt: () => session.interrupt(),
});
for (const model of models.values()) {
  model.dispose();
}
process.exit();
