import { Option } from 'commander';

export interface AtOptions {
  at: string[];
}

/** Which gateways and workers are asked. */
export function atOption(): Option {
  const help =
    'admin listener of a gateway or worker; may be given again; a host with several addresses stands for all of them. ' +
    'Default: all that npm start runs here, else SLUICE_ADMIN_URL';
  return new Option('--at <url>', help)
    .default([], 'see there')
    .argParser((url: string, before: readonly string[]) => [...before, url]);
}
