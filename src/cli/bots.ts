// Whose a bot's token is, as the service says that knows it. main.ts hands it in: this folder reaches no network, and reads
// no files.

export interface BotWish {
  readonly token: string | undefined
  /** The file that has it; without both, the environment of this process. */
  readonly file: string | undefined
  /** Where the service is, when not at its usual address. */
  readonly apiRoot: string | undefined
}

/** `problem`: nobody knows, because the service was not reached or there was no token here. Throws INVALID_REQUEST where the service does not know the token. */
export type FindBot = (wish: BotWish) => Promise<{ readonly account: string } | { readonly problem: string }>
