// What a message can mean: one closed union, the border between the grammar (words in, intent out, no clock) and the
// flows (intent and conversation in, next step out). `unclear` carries the reason that the person is told.
import type { WhenSpec } from '../../words/when.ts'

export type Target =
  /** Counted from 1; -1 is the last. */
  | { readonly kind: 'ordinal'; readonly place: number; readonly said: string }
  /** Words that must all occur in the name or text of exactly one job. */
  | { readonly kind: 'named'; readonly words: readonly string[]; readonly said: string }
  /** `it`, `that one`. */
  | { readonly kind: 'that' }
  /** `the reminder`, which is certain only when there is one. */
  | { readonly kind: 'only' }

export type TargetedKind = 'cancel' | 'pause' | 'resume' | 'run' | 'job-history'

export type Mood = 'greeting' | 'thanks' | 'farewell' | 'fine' | 'acknowledged'

export type Unclear = {
  readonly kind: 'unclear'
  /** A whole sentence. */
  readonly why: string
  /** The words that were not understood. */
  readonly part?: string
}

export type Intent =
  | { readonly kind: 'remind'; readonly text: string; readonly when: WhenSpec }
  | { readonly kind: 'list'; readonly nextOnly: boolean }
  | { readonly kind: TargetedKind; readonly target: Target }
  | { readonly kind: 'change'; readonly target: Target; readonly when: WhenSpec }
  | { readonly kind: 'cancel-all' }
  | { readonly kind: 'confirm-cancel-all' }
  | { readonly kind: 'what-ran'; readonly day: 'today' | 'yesterday' | 'any' }
  | { readonly kind: 'conversation' }
  | { readonly kind: 'sessions' }
  | { readonly kind: 'send'; readonly sessionKey: string; readonly message: string }
  | { readonly kind: 'status' }
  | { readonly kind: 'identity' }
  | { readonly kind: 'time'; readonly zone: string | undefined }
  | { readonly kind: 'help' }
  | { readonly kind: 'small-talk'; readonly mood: Mood }
  | Unclear

const PART_LENGTH_MAX = 120

export function unclear(why: string, part = ''): Unclear {
  const line = part.trim().replaceAll(/\s+/g, ' ')
  const shown = line.length > PART_LENGTH_MAX ? `${line.slice(0, PART_LENGTH_MAX - 1)}…` : line
  return { kind: 'unclear', why, ...(shown && { part: shown }) }
}
