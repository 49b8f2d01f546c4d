/** From the records of a key and its tenant to what is demanded of their calls. Pure. */
import { BlockList, isIP } from 'node:net';
import {
  type AccessDemands,
  type AccessRules,
  type AccessScope,
  type AddressList,
  accessScopes,
} from '../core/access.ts';
import type { TenantTerms } from '../core/principal.ts';

/**
 * Undefined: nothing is demanded, which the path of every call tells by one comparison.
 * @param ofCaller of a key, or of whatever else stands for one caller of the tenant
 */
export function accessDemands(
  ofCaller: AccessRules & { readonly scopes: readonly AccessScope[] },
  ofTenant: Pick<TenantTerms, keyof AccessRules | 'require_jwt'>,
): AccessDemands | undefined {
  const demands = {
    scopes: accessScopes.filter((scope) => ofCaller.scopes.includes(scope)),
    addresses: [ofCaller, ofTenant]
      .filter(({ allowed_addresses }) => allowed_addresses.length > 0)
      .map(({ allowed_addresses }) => addressList(allowed_addresses)),
    signature: ofCaller.require_signature || ofTenant.require_signature,
    clientCertificate: ofCaller.require_client_certificate || ofTenant.require_client_certificate,
    token: ofTenant.require_jwt,
  };
  const isOpen =
    demands.scopes.length === accessScopes.length &&
    demands.addresses.length === 0 &&
    !(demands.signature || demands.clientCertificate || demands.token);
  return isOpen ? undefined : demands;
}

const NETWORK = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/;

/**
 * An IPv4 address is the same however it is written, also as `::ffff:10.0.0.1`, and lies in no other network of IPv6: so
 * `::/0` is every address of IPv6 alone. What cannot be read allows nobody.
 */
export function addressList(networks: readonly string[]): AddressList {
  const ofIpv4 = new BlockList();
  const ofIpv6 = new BlockList();
  for (const network of networks) {
    const [, address = '', bits] = NETWORK.exec(network) ?? [];
    const family = isIP(address);
    if (family === 0) continue;
    const longest = family === 4 ? 32 : 128;
    const prefix = Number(bits ?? longest);
    if (prefix > longest) continue;
    if (family === 4) ofIpv4.addSubnet(address, prefix, 'ipv4');
    else if (prefix >= MAPPED_BITS && isMapped(address)) ofIpv4.addSubnet(address, prefix, 'ipv6');
    else ofIpv6.addSubnet(address, prefix, 'ipv6');
  }
  return {
    includes(address) {
      const family = isIP(address);
      if (family === 4) return ofIpv4.check(address, 'ipv4');
      if (family !== 6) return false;
      // A zone such as %eth0 says on which link, not who.
      const bare = address.replace(/%.*$/s, '');
      return (isMapped(bare) ? ofIpv4 : ofIpv6).check(bare, 'ipv6');
    },
  };
}

const MAPPED_BITS = 96;
const mapped = new BlockList();
mapped.addSubnet('::ffff:0:0', MAPPED_BITS, 'ipv6');

/** @param address of IPv6 */
function isMapped(address: string): boolean {
  return mapped.check(address, 'ipv6');
}
