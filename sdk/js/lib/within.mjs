// A limit for what may hold its thread for ever, as an endless loop in a plugin's module does.

import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Awaits `call`. When it takes longer, says `words` and ends the process: nothing else stops a loop. */
export async function within(seconds, words, call) {
  const done = new Int32Array(new SharedArrayBuffer(4));
  const watch = new Worker(
    `const { done, limit, words } = require("node:worker_threads").workerData;
    if (Atomics.wait(done, 0, 0, limit) === "timed-out") {
      require("node:fs").writeSync(2, words + "\\n");
      process.kill(process.pid, "SIGKILL");
    }`,
    { eval: true, execArgv: [], workerData: { done, limit: seconds * 1000, words } },
  );
  await once(watch, "online");
  try {
    return await call();
  } finally {
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  }
}
