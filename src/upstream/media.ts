/**
 * Images and other media that a request names by address. A GPU server would fetch any address, inside ones
 * included, and follow redirects; so none reaches it. Images of listed hosts are fetched here and sent on inside
 * the request, everything else is refused.
 */
import type { LookupFunction } from 'node:net';
import type { Config } from '../config/schema.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import { fetchImage, objectionTo, parseHosts } from './media-fetch.ts';

/** A place in a parsed body that holds an address instead of a `data:` URL. */
export interface RemoteMedia {
  readonly url: string;
  /** Only images are fetched. */
  readonly image: boolean;
  /** `messages[0].content[1].image_url.url` */
  readonly param: string;
  /** Writes into the body, which must then be serialised anew. */
  replace(dataUrl: string): void;
}

type Mapping = Record<string, unknown>;

/** Where messages, items and documents stand: chat, Responses, embeddings, rerank, score. */
const listFields = [
  'messages',
  'input',
  'query',
  'queries',
  'documents',
  'text_1',
  'text_2',
  'data_1',
  'data_2',
  'items',
] as const;
/** Of a part: its type is not asked, because servers go by the field. */
const mediaFields = [
  'image_url',
  'video_url',
  'audio_url',
  'file_url',
  'input_audio',
  'input_video',
  'file',
  'image',
  'video',
  'audio',
] as const;
/** Within the value of such a field. */
const addressFields = ['url', 'file_url'] as const;

const none: readonly RemoteMedia[] = Object.freeze([]);

/**
 * Walks the request once. Nothing but `data:` counts as inside the request: not other schemes, nor paths, which
 * some servers open as files. The body's depth must be bounded already.
 */
export function findRemoteMedia(body: unknown): readonly RemoteMedia[] {
  if (!isObject(body)) return none;
  let walk: MediaWalk | undefined;
  for (const field of listFields) {
    const value = (body as Mapping)[field];
    if (!isObject(value)) continue;
    walk ??= new MediaWalk();
    walk.enter(field, value);
  }
  return walk?.found ?? none;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Is any of `mediaFields` there? Spelt out, because reads by a literal name are ten times as fast here. */
function namesMedia(part: Partial<Record<(typeof mediaFields)[number], unknown>>): boolean {
  return (
    part.image_url !== undefined ||
    part.video_url !== undefined ||
    part.audio_url !== undefined ||
    part.file_url !== undefined ||
    part.input_audio !== undefined ||
    part.input_video !== undefined ||
    part.file !== undefined ||
    part.image !== undefined ||
    part.video !== undefined ||
    part.audio !== undefined
  );
}

class MediaWalk {
  found: RemoteMedia[] | undefined;
  private readonly path: (string | number)[] = [];

  enter(step: string | number, value: object): void {
    this.path.push(step);
    if (Array.isArray(value)) this.list(value);
    else this.mapping(value as Mapping);
    this.path.pop();
  }

  private list(values: readonly unknown[]): void {
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (isObject(value)) this.enter(index, value);
    }
  }

  private mapping(mapping: Mapping): void {
    if (namesMedia(mapping)) this.media(mapping);
    const { content, output } = mapping;
    if (isObject(content)) this.enter('content', content);
    if (isObject(output)) this.enter('output', output);
  }

  private media(mapping: Mapping): void {
    for (const field of mediaFields) {
      const value = mapping[field];
      if (typeof value === 'string') this.address(mapping, field, value, field);
      else if (isObject(value)) this.wrapped(value as Mapping, field);
    }
  }

  /** `image_url: {url: …}` */
  private wrapped(value: Mapping, field: string): void {
    for (const inner of addressFields) {
      const address = value[inner];
      if (typeof address === 'string') this.address(value, inner, address, `${field}.${inner}`);
    }
  }

  private address(holder: Mapping, field: string, url: string, place: string): void {
    if (url.startsWith('data:') || url === '') return;
    this.found ??= [];
    this.found.push({
      url,
      image: place.startsWith('image'),
      param: [...this.path, place]
        .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
        .join('')
        .slice(1),
      replace: (dataUrl) => {
        holder[field] = dataUrl;
      },
    });
  }
}

export type MediaOptions = Config['media'] & {
  /** Default: the system's look-up. */
  readonly resolve?: LookupFunction;
};

/**
 * Replaces every address by the image behind it, or refuses the request and leaves the body as it was. Time and
 * bytes are bounded for all images together. Equal addresses are fetched once.
 * @param signal Aborted when the caller leaves.
 */
export async function inlineRemoteMedia(
  references: readonly RemoteMedia[],
  options: MediaOptions,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  if (references.length === 0) return undefined;
  const hosts = parseHosts(options.allowed_hosts);
  const wanted = new Map<string, { url: URL; reference: RemoteMedia }>();
  for (const reference of references) {
    const url = URL.canParse(reference.url) ? new URL(reference.url) : undefined;
    const objection = objectionToReference(reference, url) ?? (url && objectionTo(url, hosts));
    if (objection) return refuse(reference, objection);
    if (url && !wanted.has(reference.url)) wanted.set(reference.url, { url, reference });
  }
  if (wanted.size > options.fetch_count_max) {
    const message = `The request names ${wanted.size} images by address; at most ${options.fetch_count_max} are fetched.`;
    return refusal('remote_media_refused', message);
  }

  const failure = new AbortController();
  const bounds = {
    hosts,
    budget: { bytes: options.fetch_limit_bytes },
    signal: AbortSignal.any([signal, failure.signal, AbortSignal.timeout(options.fetch_timeout_ms)]),
    resolve: options.resolve,
  };
  let firstFailure: Refusal | undefined;
  const images = new Map<string, string>();
  const fetchOne = async ({ url, reference }: { url: URL; reference: RemoteMedia }) => {
    const fetched = await fetchImage(url, bounds);
    if (fetched.ok) images.set(reference.url, fetched.dataUrl);
    else {
      firstFailure ??= refuse(reference, fetched.message, fetched.reason);
      failure.abort();
    }
  };
  await Promise.all([...wanted.values()].map(fetchOne));
  if (firstFailure) return firstFailure;
  for (const reference of references) reference.replace(images.get(reference.url) ?? reference.url);
  return undefined;
}

function objectionToReference({ image }: RemoteMedia, url: URL | undefined): string | undefined {
  if (!image) return 'Only images are fetched by address. Send audio, video and files inside the request.';
  return url ? undefined : 'An image must be a data: URL, or an https: or http: address.';
}

function refuse({ param }: RemoteMedia, message: string, reason?: string): Refusal {
  return refusal('remote_media_refused', message, reason === undefined ? { param } : { param, reason });
}
