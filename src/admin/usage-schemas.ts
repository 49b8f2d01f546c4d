/** What the usage routes take. */
import { z } from 'zod';
import { callCursorPattern, type Grouping, groupings } from '../admission/usage/usage-reader.ts';
import { tenantNamePattern } from '../core/principal.ts';
import { pageQuery } from './schemas.ts';

const tenant = z
  .string()
  .regex(tenantNamePattern, 'must be 1 to 64 letters, digits or ._@+-, beginning with a letter or digit');

const span = z
  .string()
  .regex(/^\d{4}-\d\d(-\d\d)?$/, 'must be a day such as 2026-11-21, or by month 2026-11');

const groupBy = z
  .string()
  .transform((text) => text.split(','))
  .refine(
    (names): names is Grouping[] => names.every((name) => (groupings as readonly string[]).includes(name)),
    {
      error: `must be one or more of ${groupings.join(', ')}, separated by commas`,
    },
  )
  .refine((names) => new Set(names).size === names.length, { error: 'must not name anything twice' });

export const usageQuery = z.strictObject({
  tenant,
  from: span.describe('First day, UTC; first month where `group_by` has `month`.'),
  to: span.describe('Last day or month, with it.'),
  group_by: groupBy.prefault('day').describe('What gets a row of its own.'),
  key: z
    .string()
    .regex(/^[A-Za-z0-9_]{1,64}$/, 'must be the id of a key')
    .optional(),
  model: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible ASCII characters')
    .optional(),
  cursor: z
    .string()
    .regex(/^[\x20-\x7e]{1,512}$/, 'must be `next_cursor` of the page before')
    .optional(),
});

export const callsQuery = pageQuery.extend({
  tenant,
  cursor: z.string().regex(callCursorPattern, 'must be `next_cursor` of the page before').optional(),
});
