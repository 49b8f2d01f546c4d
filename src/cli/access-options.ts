/** The flags that say who may come in with a key, and what people write on it: `--allowed-addresses 10.0.0.0/8`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type AccessRules, type AccessScope, accessScopes } from '../core/access.ts';
import type { KeyRecord, TenantRecord } from '../core/principal.ts';

type Switch = 'on' | 'off';

interface RuleOptions {
  allowedAddresses?: string[];
  requireSignature?: Switch;
  requireClientCertificate?: Switch;
}

export interface KeyAccessOptions extends RuleOptions {
  note?: string;
  tags?: string[];
  scopes?: AccessScope[];
}

export interface TenantAccessOptions extends RuleOptions {
  email?: string;
  requireJwt?: Switch;
}

export function addKeyAccessOptions(command: Command): Command {
  const scopes = `what it may be used for: ${accessScopes.join(',')}, or all`;
  return addRuleOptions(command)
    .option('--note <text>', 'for people; none takes it away')
    .option('--tags <list>', 'separated by commas; none takes them away', listOf)
    .addOption(new Option('--scopes <list>', scopes).argParser(scopesOf));
}

export function addTenantAccessOptions(command: Command): Command {
  return addRuleOptions(command)
    .option('--email <address>', 'whom to write to, of no other tenant; none takes it away')
    .addOption(
      new Option('--require-jwt <switch>', 'refuse its keys, take tokens alone').choices(['on', 'off']),
    );
}

/** What is sent; undefined: not named. */
export function keyAccessFrom(options: KeyAccessOptions) {
  const { note, tags, scopes } = options;
  return { note: note === 'none' ? '' : note, tags, scopes, ...rulesFrom(options) };
}

export function tenantAccessFrom(options: TenantAccessOptions) {
  const { email, requireJwt } = options;
  return { email: email === 'none' ? null : email, ...rulesFrom(options), require_jwt: isOn(requireJwt) };
}

/** For people. */
export function keyAccessLines(key: KeyRecord): Record<string, string> {
  return {
    note: key.note || 'none',
    tags: key.tags.join(', ') || 'none',
    scopes: key.scopes.join(', '),
    ...ruleLines(key, []),
  };
}

export function tenantAccessLines(tenant: TenantRecord): Record<string, string> {
  return {
    email: tenant.email ?? 'none',
    ...ruleLines(tenant, tenant.require_jwt ? ['token (JWT)'] : []),
  };
}

function addRuleOptions(command: Command): Command {
  const signature = 'refuse calls that are not signed';
  const certificate = 'refuse calls without a client certificate';
  const addresses = 'addresses and networks that calls may come from, separated by commas; none: anywhere';
  return command
    .option('--allowed-addresses <list>', addresses, listOf)
    .addOption(new Option('--require-signature <switch>', signature).choices(['on', 'off']))
    .addOption(new Option('--require-client-certificate <switch>', certificate).choices(['on', 'off']));
}

function rulesFrom({ allowedAddresses, requireSignature, requireClientCertificate }: RuleOptions) {
  return {
    allowed_addresses: allowedAddresses,
    require_signature: isOn(requireSignature),
    require_client_certificate: isOn(requireClientCertificate),
  };
}

function ruleLines(rules: AccessRules, others: readonly string[]): Record<string, string> {
  const demands = [
    rules.require_signature ? 'signature' : undefined,
    rules.require_client_certificate ? 'client certificate' : undefined,
    ...others,
  ].filter((demand) => demand !== undefined);
  return {
    addresses: rules.allowed_addresses.join(', ') || 'any',
    demands: demands.join(', ') || 'none',
  };
}

function isOn(wanted: Switch | undefined): boolean | undefined {
  return wanted && wanted === 'on';
}

function listOf(text: string): string[] {
  if (text === 'none') return [];
  return text.split(',').map((entry) => entry.trim());
}

function scopesOf(text: string): AccessScope[] {
  if (text === 'all') return [...accessScopes];
  return listOf(text).map((name) => {
    const scope = accessScopes.find((known) => known === name);
    if (scope) return scope;
    throw new InvalidArgumentError(`Write some of ${accessScopes.join(',')}, or all.`);
  });
}
