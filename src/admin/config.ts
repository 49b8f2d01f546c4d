import type { FastifyInstance } from 'fastify';
import { refusal } from '../core/errors.ts';
import { sendRefusal } from './answers.ts';
import type { Journal } from './journal.ts';

interface ConfigChange {
  readonly what: string;
  readonly change: string;
  readonly fields: readonly string[];
}

export interface ConfigDependencies {
  reloadConfig(): Promise<
    | {
        readonly ok: true;
        readonly changes: readonly ConfigChange[];
        readonly needsRestart: readonly string[];
        readonly warnings: readonly string[];
      }
    | { readonly ok: false; readonly faults: readonly string[] }
  >;
}

/** `/v1/config/reload`: this gateway reads its configuration anew; the others do so when they are asked. */
export function configRoutes(
  app: FastifyInstance,
  { reloadConfig, journal }: ConfigDependencies & { readonly journal: Journal },
): void {
  app.post('/v1/config/reload', async (_request, reply) => {
    const report = await reloadConfig();
    if (!report.ok) {
      const { faults } = report;
      const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
      const message = `The configuration has ${count}, so nothing was changed.\n${faults.join('\n')}`;
      const refused = refusal('invalid_configuration', message);
      await journal.write(reply, 'config.reload', { ok: false, refusal: refused }, {});
      return sendRefusal(reply, refused);
    }
    const { changes, needsRestart, warnings } = report;
    await journal.write(reply, 'config.reload', report, {}, { changes: differencesOf(changes) });
    return { object: 'config.reload', changes, needs_restart: needsRestart, warnings };
  });
}

/** What a field of the file held stays in the file: it may be much, and need not be anybody's business. */
function differencesOf(changes: readonly ConfigChange[]) {
  const told = changes.map(({ what, change, fields }) => [
    what,
    { before: null, after: [change, ...fields].join(' ') },
  ]);
  return Object.fromEntries(told);
}
