/** Answers of GPU servers that Redis keeps for equal requests, as the scripts take them. */
import type { Answer, RedisConnection } from './connection.ts';
import type { AnswerFields } from './scripts.ts';

/** What a GPU server has said, before anything is mapped for a caller. */
export interface KeptAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** Name of the server. */
  readonly upstream: string;
  /** What that server calls the model. */
  readonly upstreamModel: string;
}

export interface FoundAnswer {
  readonly answer: KeptAnswer;
  readonly ageMs: number;
}

export interface AnswerTable {
  /**
   * @param digest of the request
   * @param ageMsMax from this age on an answer is too old
   */
  read(tenant: string, digest: string, ageMsMax: number): Promise<Answer<FoundAnswer | undefined>>;
  /** False: there was no room for it. Others of the tenant may have been taken out to make some. */
  keep(
    tenant: string,
    digest: string,
    answer: KeptAnswer,
    bounds: { readonly lifetimeMs: number; readonly tenantBytesMax: number },
  ): Promise<Answer<boolean>>;
}

export function answerTable({ ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>): AnswerTable {
  return {
    read: (tenant, digest, ageMsMax) =>
      ask(async (client) => {
        const reply = await client.readAnswerBuffer(keys.answer(tenant, digest), ageMsMax);
        if (reply.length === 1) return undefined;
        const [ageMs, ...fields] = reply;
        return { answer: readKeptAnswer(fields), ageMs };
      }, 'answers'),

    keep: (tenant, digest, answer, { lifetimeMs, tenantBytesMax }) =>
      ask(async (client) => {
        const limits = [Math.ceil(lifetimeMs), tenantBytesMax] as const;
        const fields = answerFields(answer);
        return (await client.keepAnswer(keys.root(tenant), digest, ...limits, ...fields)) === 1;
      }, 'answers'),
  };
}

/** As the scripts take it. */
export function answerFields(answer: KeptAnswer): (string | number | Buffer)[] {
  const { status, contentType, upstream, upstreamModel, body } = answer;
  return [status, contentType, upstream, upstreamModel, body];
}

/** As the scripts give it. */
export function readKeptAnswer([
  status,
  contentType,
  upstream,
  upstreamModel,
  body,
]: AnswerFields): KeptAnswer {
  return {
    status,
    contentType: contentType.toString(),
    upstream: upstream.toString(),
    upstreamModel: upstreamModel.toString(),
    body,
  };
}
