/** Ends a command with one line for the person in front of it. */
export class CommandFailure extends Error {
  /** 1: it did not work; 2: it was called wrongly. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.name = 'CommandFailure';
    this.exitCode = exitCode;
  }
}
