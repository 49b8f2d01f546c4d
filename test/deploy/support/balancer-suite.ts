/** What every balancer in front of the gateways has to do, whatever it is called. */
import { after, before, test } from 'node:test';
import { missingPrograms } from '../../support/programs.ts';
import type { BalancerName } from './balancer.ts';
import { bodyTests, streamTests } from './balancer-bodies.ts';
import { callerTests, entryTests } from './balancer-entry.ts';
import { absenceTests, failureTests, type SuiteOptions } from './balancer-failures.ts';
import { BalancerGround } from './balancer-ground.ts';

export function balancerSuite(name: BalancerName, options: SuiteOptions): void {
  const skip = missingPrograms(name, 'openssl');
  if (skip) {
    test(`${name} in front of a gateway`, { skip }, () => undefined);
    return;
  }
  const ground = new BalancerGround(name);
  before(() => ground.start());
  after(() => ground.stop());
  entryTests(ground);
  callerTests(ground);
  bodyTests(ground);
  streamTests(ground);
  failureTests(ground, options);
  absenceTests(ground, options);
}
