/** `npm start`: everything on this machine, kept up until Ctrl-C. */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endInOrder } from './lifecycle.ts';
import { claimPorts } from './up/claim.ts';
import { Cluster, httpUrl, publicUrlOf } from './up/cluster.ts';
import { absentServers, callToTry, chatCall, firstCall } from './up/first-call.ts';
import { firstKey } from './up/first-key.ts';
import { type Home, openHome, shown, writePrivately } from './up/home.ts';
import { acquireLock } from './up/lock.ts';
import { endWithParent } from './up/parent.ts';
import { makePlan, type Plan } from './up/plan.ts';
import { watchForChanges } from './up/watch.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = fileURLToPath(new URL('../main.ts', import.meta.url));

/**
 * Returns when everything serves; the process stays up from then on. Throws with a message for the operator.
 * @param mainScript The program that runs the other roles.
 */
export async function run(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  mainScript = program,
): Promise<void> {
  const startedAtMs = performance.now();
  const home = openHome(resolve(env.SLUICE_HOME || join(root, '.sluice')));
  const lock = acquireLock(home.folder);
  if (!lock.ok) {
    throw new Error(
      `another start is running here (process ${lock.holder}). End it, or set SLUICE_HOME to a folder of its own.`,
    );
  }
  // The reader of our output may leave before we do.
  process.stdout.on('error', () => {});

  let cluster: Cluster | undefined;
  const stop = async () => {
    await cluster?.stop();
    lock.release();
  };
  process.on('exit', () => cluster?.kill());
  try {
    const plan = await makePlan(argv, env, home);
    await claimPorts(plan, lock.lastWasKilled ? plan.gatewayEndMs : 0, say);
    cluster = new Cluster({ plan, home, env, mainScript, say });
    endOnSignals(cluster, plan, stop);
    say(`logs in ${shown(home.logFolder)}`);
    if (!(await cluster.start())) return;
    if (plan.watch) watch(cluster, env);
    await greet(home, plan);
    say(`Ready in ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s. Ctrl-C stops everything.`);
  } catch (error) {
    await stop();
    throw error;
  }
}

function endOnSignals(cluster: Cluster, plan: Plan, stop: () => Promise<void>): void {
  endInOrder({
    drain: async () => {
      say(`Stopping: running calls have up to ${plan.drainMs / 1_000} s. Ctrl-C again ends them at once.`);
      await stop();
      say('Stopped.');
    },
  });
  // A terminal that closes sends it to mean the end; without a terminal it means: read the configuration again.
  process.on('SIGHUP', () => {
    if (process.stdout.isTTY) process.kill(process.pid, 'SIGTERM');
    else cluster.signalAll('SIGHUP');
  });
  endWithParent(process.env);
}

function watch(cluster: Cluster, env: NodeJS.ProcessEnv): void {
  watchForChanges(join(root, 'src'), env.SLUICE_CONFIG, () => {
    say('Source or configuration changed: gateways and workers start again.');
    void cluster.restartAll();
  });
}

/** Leaves the command line its address, and the newcomer a first call. */
async function greet(home: Home, plan: Plan): Promise<void> {
  const publicUrl = publicUrlOf(plan);
  const adminUrl = httpUrl(plan.adminHost, plan.adminPorts[0] ?? 0);
  const { adminToken } = plan;
  const others = [...plan.adminPorts.slice(1), ...plan.workerPorts].map((port) =>
    httpUrl(plan.adminHost, port),
  );
  const left = { url: adminUrl, token: adminToken, others };
  writePrivately(home.adminFile, `${JSON.stringify(left)}\n`);

  const first = await firstKey(home, { publicUrl, adminUrl, adminToken });
  if (!first.ok) {
    say(`No API key could be made (${first.problem}). Make one later:`);
    say('  npm run -s sluice -- keys create --tenant default --name first');
    return;
  }
  // A certificate is for a name, and not for the address under which this process would have to ask.
  const wanted = plan.speaksTls ? undefined : await firstCall(publicUrl, first.key, plan);
  say(`API key: ${first.key}`);
  if (wanted) say('Try it:');
  else if (plan.speaksTls) say('Try it, with the name of a model and the host of the certificate:');
  else say('No model is served yet; when one is, try it with its name:');
  say(`  ${callToTry(publicUrl, first.key, wanted ?? chatCall('MODEL'))}`);
  const absent = await absentServers(adminUrl, adminToken);
  if (absent.length > 0) say(`Not there yet: ${absent.join(', ')}. Calls that find no server get 503.`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
