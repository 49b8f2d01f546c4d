/** What is known of a call that came with a signature. */
export interface CallSignature {
  /** Id of the signing key. */
  readonly signer: string;
  /** Undefined: the request has no body. */
  readonly body: SignedBody | undefined;
}

/** Holds the bytes of a body against the digest that was signed, while they arrive. */
export interface SignedBody {
  update(piece: Buffer): void;
  /** Once, when all of it is there. */
  holds(): boolean;
}
