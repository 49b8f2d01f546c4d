/** How tenants are told of the end of their jobs. */
import { z } from 'zod';
import { mediaHost } from './fields.ts';

/** Growing, a day together: 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 8 h, 8 h. */
const PAUSES_SECONDS = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800];

export const webhooks = z
  .strictObject({
    allowed_hosts: z
      .array(mediaHost)
      .default([])
      .describe(
        'Receivers that may lie inside or speak plain http; all others must be public and speak https. Without a port: 80 and 443.',
      ),
    concurrency: z.int().min(1).max(1_000).default(16).describe('Deliveries that one worker has at once.'),
    receiver_concurrency: z
      .int()
      .min(1)
      .max(1_000)
      .default(4)
      .describe('Deliveries that one receiver gets at once, from all workers together.'),
    timeout_seconds: z
      .number()
      .min(0.1)
      .max(60)
      .default(15)
      .describe('How long a receiver may take to answer.'),
    retry_pauses_seconds: z
      .array(z.number().min(0.1).max(86_400))
      .max(30)
      .default(PAUSES_SECONDS)
      .describe(
        'Pauses behind failed deliveries, a fifth more or less by chance; behind the last one the event is given up. A longer Retry-After of the receiver counts instead.',
      ),
    overlap_seconds: z
      .int()
      .min(0)
      .max(2_678_400)
      .default(86_400)
      .describe('How long messages are signed with the old secret too after a new one was made.'),
  })
  .prefault({})
  .describe('What receivers of webhooks get, and how.');
