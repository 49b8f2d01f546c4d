/** TLS on the public listener itself, for those who have no balancer in front of it that ends TLS. */
import { z } from 'zod';

const pemFile = z.string().min(1);

export const listenerTls = z
  .strictObject({
    cert_file: pemFile.describe(
      'PEM file of the certificate and, behind it, those between it and its authority. Read anew when it is renewed.',
    ),
    key_file: pemFile.describe('PEM file of its private key, without a passphrase.'),
    client_ca_file: pemFile
      .optional()
      .describe('PEM file of the authorities whose client certificates count; left out: nobody is asked.'),
    client_certificates: z
      .enum(['request', 'require'])
      .default('request')
      .describe(
        'Whether those without one get in, to find that some keys demand one, or no connection at all.',
      ),
  })
  .superRefine(({ client_ca_file, client_certificates }, context) => {
    if (client_certificates === 'request' || client_ca_file !== undefined) return;
    const message = 'must stand beside client_ca_file; name there the file of the authority that signs them';
    context.addIssue({ code: 'custom', message, path: ['client_certificates'] });
  });

export type ListenerTlsConfig = z.output<typeof listenerTls>;
