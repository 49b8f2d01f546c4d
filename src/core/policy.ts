/**
 * What a request may ask for, beyond limits. Policies stand in the configuration under a name; a tenant and a key
 * may each name one. Both hold: the key's is applied first and the tenant's behind it, so that a key never gets
 * past its tenant.
 */
export interface Policy {
  readonly name: string;
  /** Public name of the model that every request gets, whatever it asks for. */
  readonly model: string | undefined;
  /** Public name of the model of a request that names none. */
  readonly default_model: string | undefined;
  /** Parameters for requests that leave them out. */
  readonly defaults: Parameters;
  /** Parameters for all requests. */
  readonly forced: Parameters;
  /** Largest values of numeric parameters; what is over one is lowered to it. */
  readonly caps: Readonly<Record<string, number>>;
  /** Fields that are taken out of requests. */
  readonly removed: readonly string[];
  /** In front of the prompt. */
  readonly system_text: string | undefined;
  /** Behind the answer, once for each choice; may hold `{tenant}` and `{request_id}`. */
  readonly suffix_text: string | undefined;
  /** Hosts of images named by address; undefined: those of the configuration. */
  readonly media_hosts: readonly string[] | undefined;
}

type Parameters = Readonly<Record<string, unknown>>;
