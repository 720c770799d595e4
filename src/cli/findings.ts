// What the doctor finds, as the CLI sees it. main.ts hands in who examines: this folder may not look at a machine.

import type { Result } from '../protocol/catalogue.ts'

export interface Finding {
  readonly code: string
  readonly kind: 'problem' | 'notice'
  readonly message: string
  readonly advice: string
  /** Whether it can be mended without losing anything, or was. */
  readonly fix: 'none' | 'possible' | 'done'
}

/**
 * `isRunning`: a gateway answers on this machine. `zoneFrom`: where it has its zone from, as its environment may be another.
 * `fix`: mend what can be mended, and look again.
 */
export type Examine = (wishes: {
  readonly isRunning: boolean
  readonly zoneFrom?: Result<'status'>['zoneFrom']
  readonly fix: boolean
}) => Promise<readonly Finding[]>
