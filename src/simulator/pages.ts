/** What is read with GET: models, health, version, metrics. */
import { json, type Whole } from './answer.ts';
import type { Ledger } from './ledger.ts';
import { metricsText } from './metrics.ts';
import type { Settings } from './options.ts';
import { serverName } from './reply.ts';

export const pagePaths: ReadonlySet<string> = new Set(['/v1/models', '/health', '/version', '/metrics']);

/** `startedAt` in Unix seconds. A path that is none of the above is health: 200 and empty. */
export function pageOf(path: string, settings: Settings, ledger: Ledger, startedAt: number): Whole {
  if (path === '/v1/models') return json(modelList(settings, startedAt));
  if (path === '/version') return json(`{"version":"${serverName}"}`);
  if (path === '/metrics') {
    return {
      ...json(metricsText(ledger, settings)),
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
    };
  }
  return { ...json(''), contentType: '' };
}

function modelList({ models, contextLength }: Settings, created: number): string {
  return JSON.stringify({
    object: 'list',
    data: models.map((id) => ({
      id,
      object: 'model',
      created,
      owned_by: serverName,
      root: id,
      parent: null,
      max_model_len: contextLength,
      permission: [],
    })),
  });
}
