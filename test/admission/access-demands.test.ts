/** What key and tenant demand together, and whether a call meets it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessDemands, addressList } from '../../src/admission/access-demands.ts';
import { plainKey } from '../../src/admission/keys/key-fields.ts';
import { type AccessShown, accessScopes, noAccessRules, unmetDemand } from '../../src/core/access.ts';

const plainTenant = { ...noAccessRules, require_jwt: false };
const shown: AccessShown = { way: 'key', address: '10.1.2.3', hasCertificate: false, scope: 'inference' };

function missing(key: object, tenant: object = {}, call: Partial<AccessShown> = {}): string | undefined {
  const demands = accessDemands({ ...plainKey, ...key }, { ...plainTenant, ...tenant });
  return demands && unmetDemand(demands, { ...shown, ...call });
}

test('a list holds its addresses and networks, in whatever way they are written', () => {
  const list = addressList([
    '10.0.0.0/8',
    '192.0.2.7',
    '2001:db8::/32',
    '::ffff:198.51.100.0/120',
    'fd00::7',
  ]);
  const inside = ['10.255.0.1', '192.0.2.7', '2001:db8:ffff::1', '2001:0DB8:0::1', '198.51.100.9', 'fd00::7'];
  const mapped = ['::ffff:10.0.0.1', '::FFFF:a00:1', '0:0:0:0:0:ffff:192.0.2.7', '::ffff:198.51.100.9'];
  for (const address of [...inside, ...mapped, 'fd00::7%eth0']) assert.ok(list.includes(address), address);
  const outside = [
    '11.0.0.1',
    '192.0.2.8',
    '2001:db9::1',
    '198.51.101.9',
    'fd00::8',
    '::ffff:11.0.0.1',
    '::1',
  ];
  const none = ['', 'unknown', '10.0.0.1:443', '10.0.0', ' 10.0.0.1', '010.0.0.1', 'example.com'];
  for (const address of [...outside, ...none]) assert.ok(!list.includes(address), address);
});

test('what cannot be read in a list allows nobody', () => {
  for (const network of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', 'all', '', '/0']) {
    assert.ok(!addressList([network]).includes('10.0.0.0'), network);
  }
  assert.ok(!addressList(['0.0.0.0/0']).includes('2001:db8::1'));
  assert.ok(addressList(['0.0.0.0/0']).includes('203.0.113.9'));
  assert.ok(addressList(['::/0']).includes('2001:db8::1'));
});

test('every network of one family holds nobody of the other', () => {
  const ipv4 = ['203.0.113.9', '::ffff:203.0.113.9', '::FFFF:cb00:7109'];
  const ipv6 = [
    '2001:db8::1',
    '::1',
    '::203.0.113.9',
    '64:ff9b::cb00:7109',
    '2002:cb00:7109::1',
    'fe80::1%eth0',
  ];
  for (const [network, inside, outside] of [
    ['0.0.0.0/0', ipv4, ipv6],
    ['::ffff:0:0/96', ipv4, ipv6],
    ['::/0', ipv6, ipv4],
  ] as const) {
    const list = addressList([network]);
    for (const address of inside) assert.ok(list.includes(address), `${network} ${address}`);
    for (const address of outside) assert.ok(!list.includes(address), `${network} ${address}`);
  }
  for (const network of ['::/64', '::/90', '::ffff:0:0/95']) {
    for (const address of ipv4) assert.ok(!addressList([network]).includes(address), `${network} ${address}`);
  }
  for (const address of [...ipv4, ...ipv6]) assert.ok(addressList(['0.0.0.0/0', '::/0']).includes(address));
});

test('of whom nothing is demanded has no demands at all', () => {
  assert.equal(accessDemands(plainKey, plainTenant), undefined);
  assert.equal(accessDemands({ ...plainKey, scopes: [...accessScopes].reverse() }, plainTenant), undefined);
});

test('where key and tenant have addresses, a call has to come from both', () => {
  const key = { allowed_addresses: ['10.1.0.0/16', '10.2.0.0/16'] };
  const tenant = { allowed_addresses: ['10.1.2.0/24', '10.9.0.0/16'] };
  assert.equal(missing(key, tenant), undefined);
  assert.equal(missing({}, tenant), undefined);
  for (const address of ['10.1.3.1', '10.2.0.1', '10.9.0.1', '192.0.2.1', 'unknown']) {
    assert.equal(missing(key, tenant, { address }), 'address not allowed', address);
  }
});

test('a demand of the key or of the tenant holds alike, and proofs come before rights', () => {
  for (const [rule, what, proof] of [
    ['require_signature', 'signature demanded', { way: 'signature' }],
    ['require_client_certificate', 'client certificate demanded', { hasCertificate: true }],
  ] as const) {
    const denying = { allowed_addresses: ['192.0.2.1'], scopes: ['usage'] };
    assert.equal(missing({ ...denying, [rule]: true }), what);
    assert.equal(missing(denying, { [rule]: true }), what);
    assert.equal(missing({ [rule]: true }, { [rule]: true }, proof), undefined);
  }
  assert.equal(missing({}, { require_jwt: true }), 'token demanded');
  assert.equal(missing({}, { require_jwt: true }, { way: 'signature' }), 'token demanded');
  assert.equal(missing({}, { require_jwt: true }, { way: 'token' }), undefined);
});

test('a key is good for its scopes alone, and for none that this release does not know', () => {
  for (const scope of accessScopes) {
    assert.equal(missing({ scopes: [scope] }, {}, { scope }), undefined);
    for (const other of accessScopes.filter((one) => one !== scope)) {
      assert.equal(missing({ scopes: [scope] }, {}, { scope: other }), `scope ${other} missing`);
    }
  }
  assert.equal(missing({ scopes: ['of a newer release'] }), 'scope inference missing');
});

test('what is demanded costs a call less than two microseconds', (t) => {
  const many = Array.from({ length: 50 }, (_, index) => `192.0.${index}.0/24`);
  const demands = accessDemands(
    { ...plainKey, allowed_addresses: [...many, '10.0.0.0/8'] },
    { ...plainTenant, allowed_addresses: ['10.0.0.0/8', 'fd00::/8'] },
  );
  assert.ok(demands);
  const count = 50_000;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const beganMs = performance.now();
    for (let call = 0; call < count; call += 1) unmetDemand(demands, shown);
    best = Math.min(best, ((performance.now() - beganMs) * 1_000) / count);
  }
  t.diagnostic(`${best.toFixed(2)} µs with 53 networks`);
  assert.ok(best < 3 * 2, `${best} µs`);
});
