/**
 * Keeps calls to addresses that callers chose out of the inside network. The check sits in the look-up of the
 * connection itself: an earlier one could be answered with a public address and the connection's own with an
 * inside one (DNS rebinding).
 */
import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIPv4, type LookupFunction } from 'node:net';

/** IANA's special-purpose registry: what is not globally reachable, and what leads on to other addresses. */
const insideIpv4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];
/**
 * Global unicast is 2000::/3 alone, so everything before and behind it is inside: loopback, mapped IPv4, NAT64,
 * unique local, link-local, multicast. Within it: Teredo and its neighbours, documentation, 6to4.
 */
const insideIpv6 = ['::/3', '4000::/2', '8000::/1', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

export type IsPublicAddress = (address: string) => boolean;

export function createPublicAddressCheck(): IsPublicAddress {
  const ipv4 = new BlockList();
  const ipv6 = new BlockList();
  const add = (list: BlockList, networks: readonly string[], family: 'ipv4' | 'ipv6') => {
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      list.addSubnet(address, Number(bits), family);
    }
  };
  add(ipv4, insideIpv4, 'ipv4');
  add(ipv6, insideIpv6, 'ipv6');
  return (address) => (isIPv4(address) ? !ipv4.check(address, 'ipv4') : !ipv6.check(address, 'ipv6'));
}

export const insideAddressCode = 'ERR_INSIDE_ADDRESS';

/**
 * A look-up that fails with `ERR_INSIDE_ADDRESS` when any of a name's addresses is not public: a name that leads
 * to both is not to be trusted with either. Node asks no look-up for IP literals; check those yourself.
 */
export function createPublicLookup(resolve: LookupFunction = lookup): LookupFunction {
  const isPublic = createPublicAddressCheck();
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      const addresses: LookupAddress[] = Array.isArray(found) ? found : [];
      const [first] = addresses;
      if (error || !first) callback(error ?? new Error('The name has no address.'), '', 0);
      else if (!addresses.every(({ address }) => isPublic(address))) {
        const inside = new Error('The name leads to an inside address.');
        callback(Object.assign(inside, { code: insideAddressCode }), '', 0);
      } else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
