import { type Refusal, refusal } from '../../core/errors.ts';
import type { Caps } from '../../core/parameters.ts';
import type { Policy } from '../../core/policy.ts';
import type { JsonBody } from '../body.ts';
import { BodyDraft } from '../body-draft.ts';
import { checkField, type Endpoint } from '../endpoints.ts';
import { applyParameters } from './parameters.ts';
import { addSystemText } from './system-text.ts';

/** A request as the policies of its caller make it. */
export interface Applied {
  /** The client's own one where no policy changes anything in it. Its `model` is still the client's. */
  readonly body: JsonBody;
  /** Public name of the model; undefined: neither client nor policy names one. */
  readonly modelName: string | undefined;
  /** Hosts of images named by address; undefined: those of the configuration. */
  readonly mediaHosts: readonly string[] | undefined;
}

export interface Bounds {
  /** Of the configuration; what a policy sets is held to them too. */
  readonly caps: Caps;
  readonly addedBytesMax: number;
}

/**
 * @param body has passed `checkBody`
 * @param policies the key's first, the tenant's behind it: the tenant has the last word
 */
export function applyPolicies(
  endpoint: Endpoint,
  body: JsonBody,
  policies: readonly Policy[],
  { caps, addedBytesMax }: Bounds,
): Applied | Refusal {
  const draft = new BodyDraft(body);
  const { model } = body.value;
  let modelName = typeof model === 'string' ? model : undefined;
  for (const policy of policies) {
    applyParameters(draft, endpoint, policy);
    modelName = policy.model ?? modelName ?? policy.default_model;
  }
  for (const name of draft.changedNames) {
    const refused = checkField(name, draft.value[name] ?? null, caps);
    if (refused) return refused;
  }
  const refused = addSystemTexts(draft, endpoint, policies, addedBytesMax);
  return refused ?? { body: draft.done(), modelName, mediaHosts: mediaHostsOf(policies) };
}

/** The tenant's text comes first, so that it stands above the key's. */
function addSystemTexts(
  draft: BodyDraft,
  endpoint: Endpoint,
  policies: readonly Policy[],
  addedBytesMax: number,
): Refusal | undefined {
  const texts = policies.flatMap(({ system_text: text }) => (text === undefined ? [] : [text]));
  if (texts.length === 0) return undefined;
  return addSystemText(draft, endpoint, texts.reverse().join('\n\n'), addedBytesMax);
}

/** The tenant's hosts; of the key's only those that the tenant lists as well. */
function mediaHostsOf(policies: readonly Policy[]): readonly string[] | undefined {
  let hosts: readonly string[] | undefined;
  for (const { media_hosts: listed } of policies) {
    if (listed === undefined) continue;
    const all = new Set(listed.map((host) => host.toLowerCase()));
    hosts = hosts ? hosts.filter((host) => all.has(host.toLowerCase())) : listed;
  }
  return hosts;
}

/** 503 where the configuration has lost one of them: a call is never served without its policy. */
export function policiesNamed(
  names: readonly string[],
  configured: readonly Policy[],
): readonly Policy[] | Refusal {
  const found: Policy[] = [];
  for (const name of names) {
    const policy = configured.find((one) => one.name === name);
    if (!policy) return missing(name);
    found.push(policy);
  }
  return found;
}

function missing(name: string): Refusal {
  const message = 'The rules for this key are not configured. Its operator has to put that right.';
  return refusal('policy_missing', message, { reason: `no policy is named ${name}` });
}
