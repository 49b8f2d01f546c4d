/** The faults in force. */
import type { Command, Fault, FaultRule, Switches } from './faults.ts';

export const noFault: Fault = Object.freeze({});

export interface FaultBook {
  readonly switches: Readonly<Switches>;
  readonly rules: readonly FaultRule[];
  add(command: Command): void;
  clear(): void;
  /** What befalls a call with this prompt: all rules that fit, later ones over earlier ones. Uses them up. */
  take(texts: readonly string[]): Fault;
}

/** `changed` is told of every turn of a switch. */
export function createFaultBook(changed: (switches: Readonly<Switches>) => void): FaultBook {
  let rules: FaultRule[] = [];
  let switches: Switches = {};

  return {
    get rules() {
      return rules;
    },
    get switches() {
      return switches;
    },
    add(command) {
      if ('rule' in command) {
        rules.push({ ...command.rule });
      } else {
        switches = { ...switches, ...command.switches };
        changed(switches);
      }
    },
    clear() {
      rules = [];
      switches = {};
      changed(switches);
    },
    take(texts) {
      if (rules.length === 0) return noFault;
      let taken: Fault = noFault;
      rules = rules.flatMap((rule) => {
        const { calls, prompt, ...fault } = rule;
        if (prompt !== undefined && !texts.some((text) => text.includes(prompt))) return [rule];
        if (calls === 0) return [];
        taken = { ...taken, ...fault };
        if (calls === undefined) return [rule];
        return calls > 1 ? [{ ...rule, calls: calls - 1 }] : [];
      });
      return taken;
    },
  };
}
