/** `deploy/haproxy` as it stands, in a real HAProxy. */
import { balancerSuite } from './support/balancer-suite.ts';

balancerSuite('haproxy', {
  nobodyThere: 503,
  explainsBadHttp: false,
  shortWait: { 'timeout server 660s': 'timeout server 1s' },
});
