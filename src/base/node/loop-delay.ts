// Measures how long the control loop is kept from its work (W8).
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 10
const NS_PER_MS = 1e6

export interface LoopDelay {
  read(): { p50: number; p99: number; max: number }
  stop(): void
}

export function measureLoopDelay(): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  // The histogram counts whole intervals; what is above the resolution is delay.
  const delayMs = (ns: number) => Math.max(0, Math.round((ns / NS_PER_MS - RESOLUTION_MS) * 100) / 100)
  return {
    read: () => ({
      p50: delayMs(histogram.percentile(50)),
      p99: delayMs(histogram.percentile(99)),
      max: delayMs(histogram.max),
    }),
    stop: () => void histogram.disable(),
  }
}
