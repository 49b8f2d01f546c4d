import type { FastifyInstance } from 'fastify';
import type { Installation } from '../admission/installation.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendRefusal } from './answers.ts';

interface InstallationDependencies {
  readonly installation: Pick<Installation, 'accept'>;
  readonly log: Logger;
}

/** `/v1/installation/accept`: Redis came back with other data, or none, and they are to be worked with. */
export function installationRoutes(
  app: FastifyInstance,
  { installation, log }: InstallationDependencies,
): void {
  app.post('/v1/installation/accept', async (request, reply) => {
    const result = await installation.accept();
    const line = {
      request_id: request.id,
      actor: 'admin',
      action: 'installation.accept',
      installation: result.ok ? result.id : undefined,
      error: result.ok ? undefined : result.refusal.name,
      address: request.ip,
    };
    if (!result.ok) {
      log.warn(line, 'admin write refused');
      return sendRefusal(reply, result.refusal);
    }
    log.info(line, 'admin write');
    return { id: result.id, accepted_from: result.accepted_from };
  });
}
