// Who goes first where threads share too few cores. On Linux a priority is a thread's own; elsewhere it would be the
// whole process's, and nothing is changed.
import { platform, setPriority } from 'node:os'

/** About two thirds of an equal share while others want the core, and all of it when nobody does. */
const NICE = 2

/** The calling thread gives way to the control loop and the store's writer, which must answer at once (W8). */
export function letOthersGoFirst(): void {
  if (platform() !== 'linux') return
  try {
    setPriority(0, NICE)
  } catch {
    // A container may forbid it. Then all threads are equal, as they are elsewhere.
  }
}
