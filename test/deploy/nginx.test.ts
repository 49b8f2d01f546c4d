/** `deploy/nginx` as it stands, in a real nginx. */
import { balancerSuite } from './support/balancer-suite.ts';

balancerSuite('nginx', {
  nobodyThere: 502,
  explainsBadHttp: true,
  shortWait: { 'proxy_read_timeout 660s;': 'proxy_read_timeout 1s;' },
});
