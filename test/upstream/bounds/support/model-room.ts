/** What a waiting room does, written down as plainly as possible: one list that is searched through. */
export interface ModelGuest {
  readonly name: string;
  readonly priority: number;
  readonly tenant: string;
  readonly untilMs: number;
  readonly declines: boolean;
}

export class ModelRoom {
  readonly #waitersMax: number;
  readonly waiting: ModelGuest[] = [];
  /** Per priority the tenants who wait, the next one first. */
  readonly #turns = new Map<number, string[]>();

  constructor(waitersMax: number) {
    this.#waitersMax = waitersMax;
  }

  /** Whom the newcomer displaced; itself, if it was sent away. */
  enter(guest: ModelGuest): ModelGuest | undefined {
    let displaced: ModelGuest | undefined;
    if (this.waiting.length >= this.#waitersMax) {
      const lowest = Math.min(...this.waiting.map(({ priority }) => priority));
      if (lowest >= guest.priority) return guest;
      displaced = this.waiting.findLast(({ priority }) => priority === lowest) as ModelGuest;
      this.leave(displaced);
    }
    this.waiting.push(guest);
    const turns = this.#turnsOf(guest.priority);
    if (!turns.includes(guest.tenant)) turns.push(guest.tenant);
    return displaced;
  }

  leave(guest: ModelGuest): void {
    this.waiting.splice(this.waiting.indexOf(guest), 1);
    const isLast = !this.waiting.some(
      ({ priority, tenant }) => priority === guest.priority && tenant === guest.tenant,
    );
    const turns = this.#turnsOf(guest.priority);
    if (isLast) turns.splice(turns.indexOf(guest.tenant), 1);
  }

  next(): ModelGuest | undefined {
    if (this.waiting.length === 0) return undefined;
    const highest = Math.max(...this.waiting.map(({ priority }) => priority));
    const turns = this.#turnsOf(highest);
    const tenant = turns.shift() as string;
    turns.push(tenant);
    const guest = this.waiting.find((one) => one.priority === highest && one.tenant === tenant) as ModelGuest;
    this.leave(guest);
    return guest;
  }

  #turnsOf(priority: number): string[] {
    const turns = this.#turns.get(priority) ?? [];
    this.#turns.set(priority, turns);
    return turns;
  }
}
