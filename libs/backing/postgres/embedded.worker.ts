// The embedded PostgreSQL (PGlite) in a thread of its own: in the main thread every statement would stop the event loop.
// Runs as compiled JavaScript in the product and, by Node's own type stripping, as this file in the tests: erasable types only.
import { parentPort, workerData } from 'node:worker_threads';

interface WorkerRequest {
  id: number;
  bytes: Uint8Array;
}

async function open(directory: string): Promise<void> {
  const { PGlite } = await import('@electric-sql/pglite');
  const { vector } = await import('@electric-sql/pglite-pgvector');
  const database = await PGlite.create({
    ...(directory === '' ? {} : { dataDir: directory }),
    extensions: { vector },
    startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=32MB'],
  });
  parentPort?.on('message', (request: WorkerRequest | 'close') => {
    if (request === 'close') {
      void database.close().then(() => parentPort?.postMessage({ closed: true }));
      return;
    }
    database.execProtocolStream(request.bytes, { throwOnError: false }).then(
      // `name` and `message` of an error message are not own properties and would not survive the structured clone.
      (messages) =>
        parentPort?.postMessage({
          id: request.id,
          messages: messages.map((m) => ({ ...m, name: m.name, ...('message' in m ? { message: m.message } : {}) })),
        }),
      (error: unknown) => parentPort?.postMessage({ id: request.id, error: String(error) }),
    );
  });
  parentPort?.postMessage({ ready: true });
}

open((workerData as { directory: string }).directory).catch((error: unknown) => {
  parentPort?.postMessage({ failed: error instanceof Error ? error.message : String(error) });
});
