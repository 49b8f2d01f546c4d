/**
 * What is not put back as it was: nothing runs any more that ran when the copy was made. So no account holds a slot, and
 * no ticket has one; tickets of calls run out at once and are booked as lost, those of jobs go on when their job does.
 */
import type { Entry, Text } from './entry.ts';
import { kindOf } from './plan.ts';

export interface Moment {
  /** By the clock of Redis. */
  readonly nowMs: number;
  /** For how long a job may wait that ran when the copy was made. */
  readonly jobLifeMs: number;
}

/** Undefined: its time is over. */
export function adapted(entry: Entry, moment: Moment): Entry | undefined {
  if (entry.expiresAtMs !== undefined && entry.expiresAtMs <= moment.nowMs) return undefined;
  const { place, name } = kindOf(entry.name);
  if (place !== 'limits' || !entry.name.startsWith('{')) return entry;
  if (name === 'account') return { ...entry, rows: entry.rows.filter(([field]) => String(field) !== 'n') };
  if (name === 'tickets') {
    return { ...entry, rows: entry.rows.map(([id = '', ticket = '']) => [id, withoutSlots(String(ticket))]) };
  }
  if (name !== 'leases') return entry;
  const rows = entry.rows.map(([id = '', end]) => [id, String(leaseEnd(id, Number(end), moment))]);
  return { ...entry, rows };
}

/** Of a ticket that the copy knows no lease of, `endMs` is 0. */
export function leaseEnd(ticket: Text, endMs: number, { nowMs, jobLifeMs }: Moment): number {
  if (endMs > nowMs || !String(ticket).startsWith('job_')) return Math.max(endMs, 1);
  return nowMs + jobLifeMs;
}

/** The fields are those of scripts/ticket.lua, where the bit of a slot is 1. */
function withoutSlots(ticket: string): string {
  const [, before, masks, behind] = /^(\S \S+ \S+ \S+ )(\d+ \d+ \d+ \d+)( .*)$/.exec(ticket) ?? [];
  if (masks === undefined) return ticket;
  return `${before}${masks.replace(/\d+/g, (mask) => String(Number(mask) - (Number(mask) % 2)))}${behind}`;
}
