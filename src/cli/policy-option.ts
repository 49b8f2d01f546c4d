import { Option } from 'commander';

/** `--policy` of keys and tenants. */
export function policyOption(): Option {
  return new Option('--policy <name>', 'a policy of the configuration, beyond limits; none takes it away');
}

/** Undefined: not named. */
export function policyFrom({ policy }: { readonly policy?: string }): string | null | undefined {
  return policy === 'none' ? null : policy;
}
