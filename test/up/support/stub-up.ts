/** `up` with stubs in place of the gateway and the simulator. */
import { fileURLToPath } from 'node:url';
import { run } from '../../../src/roles/up.ts';

const stub = fileURLToPath(new URL('stub-main.ts', import.meta.url));
try {
  await run(process.argv.slice(2), process.env, stub);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
