import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { ForeignForm, ImportedRow, KeyResult, KeyStore } from '../admission/keys/key-store.ts';
import { type Refusal, RefusalError, refusal } from '../core/errors.ts';
import { sendRefusal } from './answers.ts';
import { csvRows, ndjsonRows, type ReadRow } from './import-rows.ts';
import type { Journal } from './journal.ts';
import { importBody, importQuery, importText } from './schemas.ts';

/** For rows as text. JSON keeps the listener's limit: 20 MB of it would be parsed in one go. */
const TEXT_LIMIT_BYTES = 20_000_000;
/** Rows for the store at a time; between two lots other requests have their turn. */
const LOT_ROWS = 500;
/** Of the rows that failed, this many are listed; `failed` counts them all. */
const FAILURES_LISTED_MAX = 1_000;

interface Request {
  Body: z.output<typeof importBody> | string;
  Querystring: z.output<typeof importQuery>;
}

interface Failure {
  readonly line: number;
  readonly reason: string;
}

interface Tally {
  created: number;
  unchanged: number;
  failed: number;
  readonly failures: Failure[];
}

/** `POST /v1/keys/import`: keys that people bring along. Repeating an import changes nothing. */
export function importRoutes({ keys, journal }: { readonly keys: KeyStore; readonly journal: Journal }) {
  return async (scope: FastifyInstance): Promise<void> => {
    const asText = { parseAs: 'buffer', bodyLimit: TEXT_LIMIT_BYTES } as const;
    scope.addContentTypeParser<Buffer>(['application/x-ndjson', 'text/csv'], asText, decodeText);

    const content = {
      'application/json': { schema: importBody },
      'application/x-ndjson': { schema: importText },
      'text/csv': { schema: importText },
    };
    const schema = { querystring: importQuery, body: { content } };
    scope.post<Request>('/v1/keys/import', { schema }, async (request, reply) => {
      const wanted = readImport(request);
      if ('name' in wanted) return sendRefusal(reply, wanted);
      const tally: Tally = { created: 0, unchanged: 0, failed: 0, failures: [] };
      const result = await importLots(keys, wanted.rows, wanted.form, tally);
      const { created, unchanged, failed, failures } = tally;
      const total = created + unchanged + failed;
      const counts = { total, created, unchanged, failed };
      await journal.write(reply, 'key.import', result, {}, { counts });
      if (!result.ok) return sendRefusal(reply, withProgress(result.refusal, total));
      return { object: 'key_import', total, created, unchanged, failed, failures };
    });
  };
}

async function decodeText(_request: FastifyRequest, body: Buffer): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new RefusalError(refusal('unsupported_media_type', 'The rows are not text in UTF-8.'));
  }
}

function readImport(
  request: FastifyRequest<Request>,
): { form: ForeignForm; rows: Iterable<ReadRow> } | Refusal {
  const { body, query } = request;
  if (typeof body !== 'string') {
    if (query.prefix !== undefined || query.length !== undefined) {
      return refusal('invalid_parameter', 'With a JSON body the form stands in the body.', { param: 'form' });
    }
    return { form: body.form, rows: body.rows.map((row, index) => ({ line: index + 1, row })) };
  }
  const form = formOf(query);
  if (form === undefined) {
    const message = 'Give either prefix or length: what all the keys have in common.';
    return refusal('missing_parameter', message, { param: 'prefix' });
  }
  const rows = request.mediaType === 'text/csv' ? csvRows(body) : ndjsonRows(body);
  return 'name' in rows ? rows : { form, rows };
}

function formOf({ prefix, length }: Request['Querystring']): ForeignForm | undefined {
  if (prefix !== undefined) return length === undefined ? { prefix } : undefined;
  return length === undefined ? undefined : { length };
}

/** Ends at the first lot that the store refuses as a whole; `tally` then has what was done before. */
async function importLots(
  keys: KeyStore,
  rows: Iterable<ReadRow>,
  form: ForeignForm,
  tally: Tally,
): Promise<KeyResult<object>> {
  for (const lot of lotsOf(rows)) {
    const readable = lot.filter((read) => read.fault === undefined);
    for (const { line, fault } of lot) if (fault !== undefined) fail(tally, line, fault);
    if (readable.length > 0) {
      const result = await keys.importKeys(
        readable.map(({ row }) => row),
        form,
      );
      if (!result.ok) return result;
      for (const imported of result.rows) count(tally, imported, readable[imported.row - 1]?.line ?? 0);
    }
    // The store may have refused every row without asking Redis, and then nobody else has had a turn.
    await setImmediate();
  }
  tally.failures.sort((one, other) => one.line - other.line);
  return { ok: true };
}

function* lotsOf(rows: Iterable<ReadRow>): Generator<ReadRow[], void> {
  let lot: ReadRow[] = [];
  for (const read of rows) {
    if (lot.push(read) < LOT_ROWS) continue;
    yield lot;
    lot = [];
  }
  if (lot.length > 0) yield lot;
}

function count(tally: Tally, { outcome, message }: ImportedRow, line: number): void {
  if (outcome === 'refused') fail(tally, line, message ?? 'was refused');
  else tally[outcome] += 1;
}

function fail(tally: Tally, line: number, reason: string): void {
  tally.failed += 1;
  if (tally.failures.length < FAILURES_LISTED_MAX) tally.failures.push({ line, reason });
}

function withProgress(refused: Refusal, total: number): Refusal {
  const message = `${refused.message} ${total} rows were dealt with before; the import can be repeated as a whole.`;
  return { ...refused, message };
}
