/** The place of an item in a chain; an item that stands in two chains has two. */
export class Link<Item> {
  readonly item: Item;
  before: Link<Item> | undefined;
  after: Link<Item> | undefined;

  constructor(item: Item) {
    this.item = item;
  }
}

/** Items in the order in which they were appended; each can be taken out of the middle at once. */
export class Chain<Item> {
  #first: Link<Item> | undefined;
  #last: Link<Item> | undefined;

  get first(): Item | undefined {
    return this.#first?.item;
  }

  get last(): Item | undefined {
    return this.#last?.item;
  }

  append(link: Link<Item>): void {
    link.before = this.#last;
    if (this.#last) this.#last.after = link;
    else this.#first = link;
    this.#last = link;
  }

  /** The link must stand in this chain. */
  remove(link: Link<Item>): void {
    const { before, after } = link;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    link.before = undefined;
    link.after = undefined;
  }
}
