// A gateway as a service of this machine, as the CLI sees it. main.ts hands it in: this folder may not touch files.

export interface Service {
  readonly unit: string
  readonly path: string
  readonly text: string
  readonly present: string | undefined
  readonly envPath: string
  write(): void
}

/** Throws where this machine has no such services, or the name is none. */
export type FindService = (name: string | undefined) => Service
