/** Sees to it, before anything starts, that the ports can be had. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Plan } from './plan.ts';
import { bindForAMoment } from './ports.ts';

const PAUSE_MS = 250;

/**
 * Throws, with a remedy, when a port that the plan needs cannot be had. Gateways share theirs, and a shared port
 * can be bound beside a stranger without an error: so each is first bound for a moment without sharing.
 * @param patienceMs How long a port may still be held by the gateways of a start that was killed.
 */
export async function claimPorts(plan: Plan, patienceMs: number, say: (line: string) => void): Promise<void> {
  const adminPorts = [...plan.adminPorts, ...plan.workerPorts];
  if (adminPorts.includes(plan.port)) {
    throw new Error(
      `port ${plan.port} is needed twice, as PORT and as an admin port. Set PORT to another one.`,
    );
  }
  const deadlineMs = performance.now() + patienceMs;
  await claimPort('', plan.host, plan.port, deadlineMs, say);
  for (const port of adminPorts) await claimPort('ADMIN_', plan.adminHost, port, deadlineMs, say);
}

async function claimPort(
  prefix: string,
  host: string,
  port: number,
  deadlineMs: number,
  say: (line: string) => void,
): Promise<void> {
  let bound = await bindForAMoment(host, port);
  if (bound === 'taken' && performance.now() < deadlineMs) {
    say(`port ${port} is still held; waiting for what the last start, which was killed, has left running`);
  }
  while (bound === 'taken' && performance.now() < deadlineMs) {
    await pause(PAUSE_MS);
    bound = await bindForAMoment(host, port);
  }
  if (bound === 'taken') {
    throw new Error(`port ${port} is taken by another program. Set ${prefix}PORT to a free one.`);
  }
  if (bound === 'forbidden') {
    throw new Error(`port ${port} is reserved for the administrator. Set ${prefix}PORT to one above 1023.`);
  }
  if (bound === 'unknown host') {
    throw new Error(`${host} is not an address of this machine. Set ${prefix}HOST to one that is.`);
  }
}
