interface WaitingCall {
  /** Where it stands; -1: it does not. */
  place: number;
  moveAway(): void;
}

/** The calls that wait for the first byte of a server, in no order: a Map with so much churn burdens the collector. */
export class WaitingCalls {
  readonly #calls: WaitingCall[] = [];

  add(call: WaitingCall): void {
    call.place = this.#calls.push(call) - 1;
  }

  remove(call: WaitingCall): void {
    const { place } = call;
    if (place < 0) return;
    call.place = -1;
    const last = this.#calls.pop();
    if (!last || last === call) return;
    this.#calls[place] = last;
    last.place = place;
  }

  /** As far as another server, and the budget, take them. */
  moveAllAway(): void {
    for (const call of [...this.#calls]) call.moveAway();
  }
}
