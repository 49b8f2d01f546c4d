import type { FastifyInstance } from 'fastify';
import type { Installation } from '../admission/installation.ts';
import { sendRefusal } from './answers.ts';
import { differences } from './differences.ts';
import type { Journal } from './journal.ts';

interface InstallationDependencies {
  readonly installation: Pick<Installation, 'accept'>;
  readonly journal: Journal;
}

/** `/v1/installation/accept`: Redis came back with other data, or none, and they are to be worked with. */
export function installationRoutes(
  app: FastifyInstance,
  { installation, journal }: InstallationDependencies,
): void {
  app.post('/v1/installation/accept', async (_request, reply) => {
    const result = await installation.accept();
    const id = result.ok ? result.id : undefined;
    const changes = differences(undefined, result.ok ? { accepted_from: result.accepted_from } : undefined);
    await journal.write(reply, 'installation.accept', result, { installation: id }, { changes });
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { id: result.id, accepted_from: result.accepted_from };
  });
}
