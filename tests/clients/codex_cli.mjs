// ai-sdk-provider-codex-cli, in the mode that keeps an app-server running.

import { createCodexAppServer } from 'ai-sdk-provider-codex-cli';
import { serve } from './ai_sdk.mjs';

const [codexPath, cwd] = process.argv.slice(2);
let session;
const provider = createCodexAppServer({
  defaultSettings: {
    codexPath,
    cwd,
    onSessionCreated: (created) => {
      session = created;
    },
  },
});

await serve(provider, {
  listModels: () => provider.listModels(),
  inject: ({ text }) => session.injectMessage(text),
  interrupt: () => session.interrupt(),
});
await provider.close();
process.exit(); // it has timers that have nothing more to do
