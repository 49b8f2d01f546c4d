/** Requests that are signed by RFC 9421. */
import { z } from 'zod';

export const signatures = z
  .strictObject({
    max_age_seconds: z
      .int()
      .min(5)
      .max(3_600)
      .default(300)
      .describe(
        'How old a signature may be, by its `created`. Nonces are remembered for that long, so more costs memory.',
      ),
    tolerance_seconds: z
      .int()
      .min(0)
      .max(300)
      .default(30)
      .describe('How far the clock of a caller may be off, either way.'),
    public_hosts: z
      .array(
        z
          .string()
          .max(255)
          .regex(
            /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$|^\[[0-9a-f:.]+\](:\d{1,5})?$/,
            'must be a host in lower case, with its port where that is not the usual one; write it as api.example.com',
          ),
      )
      .max(8)
      .default([])
      .describe(
        'Hosts that requests may be signed for. Empty: the one in their Host header, which has to reach the gateway as it was sent.',
      ),
  })
  .prefault({})
  .describe('Requests that are signed by RFC 9421, with signing keys of an API key.');

export type SignaturesConfig = z.output<typeof signatures>;
