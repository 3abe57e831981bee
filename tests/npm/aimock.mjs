// Runs aimock, the providers of other companies for tests, on a free port of the loopback.
// Its first line of output is {"port": …}; what it answers is told to it through its own API.
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, host: "127.0.0.1", chunkSize: 8, metrics: false });
await mock.start();
console.log(JSON.stringify({ port: Number(new URL(mock.url).port) }));

process.on("SIGTERM", async () => {
  await mock.stop();
  process.exit(0);
});
