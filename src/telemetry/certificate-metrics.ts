import type { MetricMaker } from './maker.ts';

/** Of a gateway that speaks TLS itself. @param certificate the one in force; its end in ms since 1970 */
export function certificateMetrics(make: MetricMaker, certificate: { readonly endsAtMs: number }): void {
  make.gauge(
    'sluice_tls_certificate_expires_timestamp_seconds',
    'Since 1970, when the certificate of the public listener ends.',
    () => certificate.endsAtMs / 1_000,
  );
}
