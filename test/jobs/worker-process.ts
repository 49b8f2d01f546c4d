/**
 * A worker in a process of its own, to be killed and frozen. Its jobs end by themselves after `LASTS_MS`. Says on
 * standard output, a line each: `ready`, `begin <job>`, `abort <job> <reason>`, `end <job>`.
 */
import { configSchema } from '../../src/config/schema.ts';
import { jobQueue } from '../../src/jobs/queue.ts';
import { startQueueWorker } from '../../src/jobs/queue-worker.ts';
import { connectQueue } from '../../src/redis/queue-connection.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const [url = '', lastsMs = '0'] = process.argv.slice(2);
const say = (...words: unknown[]) => process.stdout.write(`${words.join(' ')}\n`);
const log = createLogger('silent', {}, { write: () => undefined });
const config = configSchema.parse({
  secret: 'a secret of at least 32 characters',
  queue: { redis_url: url },
});
const connection = connectQueue(config, log);
await connection.commands.reached();
const queue = jobQueue(connection.commands);
const process_ = ({ jobId, signal }: { jobId: string; signal: AbortSignal }) => {
  say('begin', jobId);
  return new Promise<'done'>((resolve) => {
    const timer = setTimeout(() => {
      say('end', jobId);
      resolve('done');
    }, Number(lastsMs));
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      say('abort', jobId, signal.reason);
      resolve('done');
    });
  });
};
const nothing = () => undefined;
startQueueWorker({ connection, queue, log, process: process_, onGivenUp: nothing, onSilent: nothing }, 50);
say('ready');
