// What another gateway's files hold, as the CLI sees it. main.ts hands it in: this folder may not read files.

export interface ImportPlan {
  /** Files that were read. */
  readonly sources: readonly string[]
  /** Without `job` nothing is added, and `why` says the reason. */
  readonly jobs: readonly { readonly id: string; readonly name: string; readonly job?: object; readonly why?: string }[]
  readonly config: {
    readonly patch: object
    readonly keys: readonly { readonly path: string; readonly why?: string }[]
  }
  /** To be called once the job of theirs with this id is there. */
  took(id: string): void
}

export type PlanImport = (from: string | undefined) => ImportPlan
