/**
 * Expressions that cannot say anything in a cluster that has just begun and is well, each with the reason. The places
 * are as in expressions.ts.
 */
const noCertificate = 'the listeners of this cluster speak plain HTTP';
const noRunLost = 'no worker froze for longer than the lock of its job, which is seconds';

export const silent: Readonly<Record<string, string>> = {
  'sluice-redis/18 A': noCertificate,
  'SluiceCertificateEndsSoon 1': noCertificate,
  'SluiceCertificateEnds 1': noCertificate,
  'sluice-jobs/10 A': noRunLost,
  'SluiceJobLocksLost 1': noRunLost,
  'cluster:sluice_refusals:ratio_usual 1': 'what is usual is the day that ended an hour ago',
  'SluiceRefusalsHigh 2': 'is compared with what is usual, the day that ended an hour ago',
  'SluiceGatewaysDown 2': 'speaks only where no gateway is scraped',
};
