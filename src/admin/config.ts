import type { FastifyInstance } from 'fastify';
import { refusal } from '../core/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendRefusal } from './answers.ts';

interface ConfigChange {
  readonly what: string;
  readonly change: string;
  readonly fields: readonly string[];
}

export interface ConfigDependencies {
  readonly log: Logger;
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
export function configRoutes(app: FastifyInstance, { reloadConfig, log }: ConfigDependencies): void {
  app.post('/v1/config/reload', async (request, reply) => {
    const report = await reloadConfig();
    const line = { request_id: request.id, actor: 'admin', action: 'config.reload', address: request.ip };
    if (!report.ok) {
      const { faults } = report;
      log.warn({ ...line, error: 'invalid_configuration' }, 'admin write refused');
      const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
      const message = `The configuration has ${count}, so nothing was changed.\n${faults.join('\n')}`;
      return sendRefusal(reply, refusal('invalid_configuration', message));
    }
    log.info(line, 'admin write');
    const { changes, needsRestart, warnings } = report;
    return { object: 'config.reload', changes, needs_restart: needsRestart, warnings };
  });
}
