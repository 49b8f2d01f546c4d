/** One server-sent event. No line of the data holds a line feed. */
export function eventText(name: string, data: readonly string[], id?: string): string {
  const lines = data.map((line) => `data: ${line}\n`).join('');
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\n${lines}\n`;
}
