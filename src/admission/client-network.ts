import { isIP } from 'node:net';

const GROUPS = 8;
const GROUPS_OF_64_BITS = 4;

/**
 * Whom an address stands for when callers are counted: an IPv4 address itself, however it is written; of an IPv6
 * address its /64, because whoever has one address of it has them all. Text that is no address (a proxy may pass on
 * what it likes) is all one: `other`.
 */
export function clientNetwork(address: string): string {
  const family = isIP(address);
  if (family === 4) return address;
  if (family === 0) return 'other';
  const groups = groupsOf(address.replace(/%.*$/, ''));
  const [, , , , , marker, high = 0, low = 0] = groups;
  const isMapped = marker === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const prefix = groups.slice(0, GROUPS_OF_64_BITS).map((group) => group.toString(16));
  return `${prefix.join(':')}::/64`;
}

/** The eight numbers of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const front = numbersOf(head);
  if (tail === undefined) return front;
  const back = numbersOf(tail);
  return [...front, ...new Array<number>(GROUPS - front.length - back.length).fill(0), ...back];
}

function numbersOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
