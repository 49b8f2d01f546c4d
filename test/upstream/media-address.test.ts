import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPublicAddressCheck } from '../../src/upstream/public-address.ts';

const isPublic = createPublicAddressCheck();

test('private, loopback, link-local, metadata, shared, multicast and mapped addresses are not public', () => {
  for (const address of [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:93.184.216.34',
    '64:ff9b::a00:1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:a00:1::',
  ]) {
    assert.equal(isPublic(address), false, address);
  }
});

test('addresses of the internet are public', () => {
  for (const address of [
    '1.1.1.1',
    '93.184.216.34',
    '172.32.0.1',
    '192.167.0.1',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450::1',
  ]) {
    assert.equal(isPublic(address), true, address);
  }
});
