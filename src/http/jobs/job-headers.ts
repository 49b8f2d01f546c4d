/** All that `pushJobHeaders` and the answers about jobs may add, for pages that want to read them. */
export const jobHeaderNames: readonly string[] = [
  'location',
  'openai-poll-after-ms',
  'preference-applied',
  'x-sluice-job',
];

/** Which job was made of the request, and what of its `Prefer` was heeded (RFC 7240). */
export function pushJobHeaders(list: string[], id: string, preference: string | undefined): void {
  list.push('x-sluice-job', id);
  if (preference !== undefined) list.push('preference-applied', preference);
}
